#!/usr/bin/python3
"""Every header compiles on its own, and may be included twice: whoever includes it needs to know nothing else.

The compiler has seen that already of a header which a source file includes before everything else, so only
the others are compiled here. Arguments: the compiler, then its flags.
"""

import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["include", "base", "pool", "auth", "api", "server", "tests"]
NOT_BUILT = "tests/bench/"  # with the other tests
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
GUARD = re.compile(r"\s*#ifndef (\w+)\n#define \1\n.*#endif\s*", re.DOTALL)


def files(ending):
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*" + ending)]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def text(path):
    return COMMENT.sub(" ", (ROOT / path).read_text())


def included_first(headers):
    """Those headers that a source begins with, where its words mean no other."""
    by_ending = collections.defaultdict(set)
    for header in headers:
        parts = header.split("/")
        for i in range(len(parts)):
            by_ending["/".join(parts[i:])].add(header)
    firsts = [INCLUDE.match(text(path)) for path in files(".c") if not path.startswith(NOT_BUILT)]
    meant = [by_ending[first[1]] for first in firsts if first]
    return {header for those in meant if len(those) == 1 for header in those}


def compiles(header):
    parts = header.split("/")
    folders = [parts[0]]
    if parts[0] == "tests":
        folders = [str(pathlib.Path(header).parent), "/".join(parts[:2]), "tests/support", "server", "api"]
    command = [*sys.argv[1:], "-fsyntax-only", "-I.", "-Iinclude", *("-I" + folder for folder in folders), "-xc", "-"]
    return subprocess.run(command, cwd=ROOT, input=f'#include "{header}"\nextern int used;\n', text=True).returncode == 0


headers = files(".h")
faults = [f"{header} has no guard against being included twice" for header in headers if not GUARD.fullmatch(text(header))]
alone = sorted(set(headers) - included_first(headers))
faults += [f"{header} does not stand on its own" for header in alone if not compiles(header)]
print("\n".join(faults), file=sys.stderr)
print(f"{len(headers)} headers, {len(alone)} of them tried")
sys.exit(1 if faults or not headers else 0)

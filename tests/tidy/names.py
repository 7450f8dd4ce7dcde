#!/usr/bin/python3
"""A name means one thing: no struct, union or enum tag, and no global function, is defined in two files.

What two files may both define stands in names_twice, a name a line, with the reason.
"""

import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1]
ROOMS = ["include", "base", "pool", "auth", "api", "server"]
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')
TAG = re.compile(r"^(?:struct|union|enum)\s+(\w+)\s*\{", re.MULTILINE)
FUNCTION = re.compile(
    r"^(?!static\b|typedef\b|extern\b|return\b|else\b)[A-Za-z_][\w \*]*?[ \*](\w+)\([^;{}]*\)"
    r"\s*(?:CW_\w+(?:\([^)]*\))?\s*)*\n\{",
    re.MULTILINE,
)


def names(path):
    text = TEXT.sub('""', COMMENT.sub(" ", path.read_text()))
    return set(TAG.findall(text)) | {name + "()" for name in FUNCTION.findall(text)}


def exempt():
    lines = (HERE / "names_twice").read_text().splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


found = collections.defaultdict(list)
for room in ROOMS:
    for path in sorted((ROOT / room).rglob("*.[ch]")):
        for name in names(path):
            found[name].append(str(path.relative_to(ROOT)))
allowed = exempt()
twice = {name: files for name, files in found.items() if len(files) > 1 and name not in allowed}
for name, files in sorted(twice.items()):
    print(f"{name} is defined in {' and in '.join(files)}: one name for a thing", file=sys.stderr)
print(f"{len(found)} names, {len(twice)} of them twice")
sys.exit(1 if twice or not found else 0)

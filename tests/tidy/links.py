#!/usr/bin/python3
"""Links between our pages lead somewhere: the file is there, and so is the heading. And a key that several pages
create is one key: a second one of its name is refused, so pasting both would fail.

links.py [FOLDER]: in the source, or where pages were installed
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def text_of(page):
    return FENCE.sub("", page.read_text())


def anchors(page):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ +(.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults(page):
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: there is no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: there is no such heading"


def keys_of_two_kinds(files):
    first = {}
    for file in files:
        for name, options in re.findall(r"key create ([a-z0-9-]+)((?: --(?:scope|namespace|user) [\w:]+)+)", file.read_text()):
            if first.setdefault(name, options) != options:
                yield f"{file.relative_to(ROOT)}: key create {name}{options}: elsewhere it is{first[name]}"


pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("packaging/**/*.md")]
found = [fault for page in pages for fault in faults(page)]
found += keys_of_two_kinds([*pages, *ROOT.glob("docs/snippets/*"), *ROOT.glob("clients/*/README.md"),
                            *ROOT.glob("clients/python/cachewarden/*/*.py")])
print("\n".join(found), file=sys.stderr)
sys.exit(1 if found else 0)

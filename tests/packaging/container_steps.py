#!/usr/bin/env python3
"""The instructions of a Containerfile, one a line: its name, a tabulator, and its words.

Words that are a JSON list (the exec form) are separated by tabulators. Only what packaging/container/Containerfile
uses is known; anything else is an error, so that the test cannot pass over it.
"""

import json
import sys

KNOWN = {"FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def instructions(text):
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        whole += line
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        if whole.strip():
            yield whole.strip()
        whole = ""
    if whole.strip():
        sys.exit("the last instruction has no end")


def main(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for instruction in instructions(text):
        name, _, arguments = instruction.partition(" ")
        arguments = arguments.strip()
        if name not in KNOWN:
            sys.exit(f"the test does not know {name}")
        if name == "HEALTHCHECK":
            arguments = arguments[arguments.index("CMD") + 3:].strip()
        words = json.loads(arguments) if arguments.startswith("[") else [" ".join(arguments.split())]
        print("\t".join([name, *words]))


if __name__ == "__main__":
    main(sys.argv[1])

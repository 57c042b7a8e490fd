#!/usr/bin/env python3
"""What docs/add-your-own.md shows is in the tree: the lines that its diffs add, and the files that it quotes.

White space does not count. usage: examples.py [ROOT]   prints what is not there; exit code 1 if anything is not
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(diff|cpp)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"// (part of )?(\S+)\n(.*)", re.DOTALL)


def squeezed(text):
    return " ".join(text.split())


def faults_of_diff(block, read):
    """Lines that a diff adds or keeps and that its file does not have."""
    name, text = None, ""
    for line in block.splitlines():
        if line.startswith("+++ b/"):
            name = line[6:]
            text = squeezed(read(name))
        elif not line.startswith(("---", "@@", "-")) and squeezed(line[1:]) not in text:
            yield f"{name} has no line `{line[1:].strip()}`"


def faults(page, read):
    """What the page shows and the tree does not have, a line each; `read` gives the text of a file of the tree."""
    found = []
    for language, block in BLOCK.findall(page):
        if language == "diff":
            found += faults_of_diff(block, read)
            continue
        part, name, text = QUOTED.match(block).groups()
        whole = squeezed(read(name))
        if squeezed(text) not in whole or (not part and squeezed(text) != whole):
            found.append(f"{name} reads otherwise now; copy it again")
    return found


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    page = root / "docs/add-your-own.md"
    found = faults(page.read_text(encoding="utf-8"), lambda name: (root / name).read_text(encoding="utf-8"))
    for fault in found:
        print(f"{page}: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
"""The map of actors/interfaces.hpp is whole: its table has one row for each `using NAME_actor =` of the file.

usage: map.py [FILE]   prints what is missing, surplus or garbled; exit code 1 if anything is
"""
import re
import sys
from collections import Counter
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "actors/interfaces.hpp"
ALIAS = re.compile(r"^using (\w+)_actor\s*=", re.MULTILINE)


def rows_of(text):
    """The table's rows as lists of cells, without its head."""
    lines = [line[4:].strip() for line in text.splitlines() if line.startswith("/// |")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if len(cells) < 2 or cells[0][0] != "actor":
        return None
    return cells[:1] + [row for row in cells[1:] if set(row[0]) != {"-"}]


def faults(text):
    """What is wrong with the map, a line each."""
    rows = rows_of(text)
    if rows is None:
        return ["no table that begins with `/// | actor`"]
    head, rows = rows[0], rows[1:]
    aliases = ALIAS.findall(text)
    named = Counter(row[0] for row in rows)
    found = [f"row `{name}`: {count} times" for name, count in named.items() if count > 1]
    found += [f"row `{name}`: no `using {name}_actor =`" for name in named if name not in aliases]
    found += [f"`using {name}_actor =`: no row" for name in aliases if name not in named]
    found += [f"row `{row[0]}`: {len(row)} cells, not {len(head)}" for row in rows if len(row) != len(head)]
    found += [f"row `{row[0]}`: an empty cell" for row in rows if not all(row)]
    return found


def main():
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    found = faults(file.read_text(encoding="utf-8"))
    for fault in found:
        print(f"{file}: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

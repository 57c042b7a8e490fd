#!/usr/bin/env python3
"""Old names do not come back: no tracked text but the pages of renames uses them (docs/renamed.md says what they are now).

usage: words.py [ROOT]   prints each line with an old name; exit code 1 if there is any
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLD = re.compile(r"\b(conductors?|dial_(spec|turn|turned)|restored_dials|brakes?|braked|batch_braked|brake_\w+|turn_atom|"
                 r"judgement|judge_(came|spawner|pointer|state)|spawn_judges|spread_(actor|setup|state)|spawn_spread|"
                 r"(rank_)?stand_in(_\w+)?|spawn_(rank_)?stand_in|stand-ins?|shipped_model|put_down|learner_places?|place_order|"
                 r"prompt_place|alike_groups|drops_alike|i_know)\b")
# What speaks of old names on purpose, or means something else by them.
KEEP = re.compile(r"^(CHANGELOG\.md$|docs/renamed\.md$|tests/data/|tests/fuzz/corpus/|runtime/topology/renamed_keys\.|"
                  r"tests/runtime/renamed_keys\.cpp$|tests/rules/words|tests/integration/(same_bits|kept_journal)\.py$|"
                  r"models/tokenizers/|runtime/parallel/no_|runtime/wire/certificates\.cpp$)")
TEXT = re.compile(r"\.(cpp|hpp|py|md|toml|txt|cmake|sh)$")


def tracked(root):
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z"], capture_output=True)
    if git.returncode == 0 and git.stdout:
        return git.stdout.decode().split("\0")
    folders = ("models", "runtime", "actors", "tests", "docs", "configs", "examples", "cmake")
    return [str(path.relative_to(root)) for folder in folders for path in (root / folder).rglob("*")]


def faults(root, names):
    """(file, line number, old name) of each old name in the files."""
    for name in names:
        if KEEP.search(name) or not TEXT.search(name) or not (root / name).is_file():
            continue
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
            for found in OLD.finditer(line):
                yield name, number, found[0]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = list(faults(root, tracked(root)))
    for name, number, word in found:
        print(f"{name}:{number}: `{word}` has another name now: docs/renamed.md")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
"""What an actor is, and what its keys say, is known by type: this counts where sources ask by name instead.

Names: a line outside the registry (runtime/kinds/, runtime/schedule/orders.cpp, and the names that a kind gives itself)
that compares the name of a kind of actor or of an order of consumption. Reads: a line that reads a key of an actor's table
once more after its kind has, by the key's name.

usage: names.py [ROOT] [--list] [--names N] [--reads N]   prints the counts; exit code 1 if one is above its limit
"""
import argparse
import re
import subprocess
from pathlib import Path

FOLDERS = ("models", "runtime", "actors")
REGISTRY = re.compile(r"^runtime/kinds/|^runtime/schedule/orders\.(cpp|hpp)$|^tests/")
# `kind == "sampler"`, `kind.rfind("advantage.", 0)`, `upstream(actor, "sampler")`, `of_kind(graph, "learner")`, and a test
# of the part of a kind's name before its dot.
KINDS = re.compile(r"\bkind\s*[!=]=\s*\(?\s*(std::string\()?\"|\bkind\s*[!=]=\s*row\.name|\b(actor|giver|taker|other|self)(->|\.)kind\s*[!=]=\s*kind\b|\bkind(->|\.)(rfind|starts_with)\("
                   r"|\bupstream\([^;]*,\s*\"|\bof_kind\([^;]*\)|\bis_kind\([^;]*\"|\bfamily_of\([^;]*\)\s*[!=]=\s*\""
                   r"|[!=]=\s*\"(loader|sampler|learner|critic|reference|pairs|(scorer|advantage|evaluator)\.\w+)\"")
NAMES = r"(strict|windowed|completion)"
ORDERS = re.compile(r"\border(\(\))?((\.|->)name)?\s*[!=]=\s*\"|[!=]=\s*\"" + NAMES + r"\"")
READS = re.compile(r"\b(text|number|flag)_key\((?!const |\s*const )|\bnode\.find\([^()]*\)(->|\s*;\s*.*)as_\w+\("
                   r"|\.settings\(\)(?!\s*const)")
OTHERS = re.compile(r"^runtime/(wire|parallel)/|^models/")  # whose kinds are others
DECLARATIONS = re.compile(r"^\s*(static |inline )?(std::\w+(<[^>]*>)?|bool|double|void|auto|actors|settings) +(\w+::)?\w+_key\(|\bout\.text_key\(")


def sources(root):
    """The sources of the layers: those that git tracks, or all where git is no help."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard", *FOLDERS], capture_output=True)
    names = git.stdout.decode().split("\0") if git.returncode == 0 and git.stdout else [
        str(path.relative_to(root)) for folder in FOLDERS for path in (root / folder).rglob("*")]
    return sorted(name for name in names if name.endswith((".cpp", ".hpp")) and (root / name).is_file())


def found(root):
    """(what, file, line, text) of each line that asks by name."""
    for name in sources(root):
        inside = False  # a function that reads a kind's keys for the first time
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("//")[0]
            if not REGISTRY.search(name) and not OTHERS.search(name):
                if KINDS.search(code):
                    yield "kind", name, number, line
                elif ORDERS.search(code):
                    yield "order", name, number, line
            if re.search(r"\.read = |\(actor_config &config\)", code):
                inside = True
            if READS.search(code) and not DECLARATIONS.search(code):
                if ".settings()" in code and (inside or REGISTRY.search(name) or name.endswith("topology.cpp")):
                    inside = False
                    continue
                yield "read", name, number, line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--list", action="store_true", help="print the lines")
    parser.add_argument("--names", type=int, help="comparisons allowed")
    parser.add_argument("--reads", type=int, help="second reads allowed")
    given = parser.parse_args()
    lines = list(found(given.root))
    kinds, orders, reads = (sum(what == each[0] for each in lines) for what in ("kind", "order", "read"))
    print(f"{kinds} lines compare names of kinds, {orders} names of orders; {reads} read a key again")
    many = (given.names is not None and kinds + orders > given.names, given.reads is not None and reads > given.reads)
    for what, name, number, line in lines:
        if given.list or (many[0] and what != "read") or (many[1] and what == "read"):
            print(f"{name}:{number}: {what}: {line.strip()}")
    return 1 if any(many) else 0


if __name__ == "__main__":
    raise SystemExit(main())

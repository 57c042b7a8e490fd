#!/usr/bin/env python3
"""The include rule: which folder may include what, and what needs no tensor includes none. Also headers of LibTorch that
cost or lack, and README lengths.

usage: include_rule.py [ROOT]     prints one line FILE:LINE: error: ... a violation; exit code 1 if there is any
"""
import re
import subprocess
import sys
from pathlib import Path

LAYERS = ("models", "runtime", "actors")
FREE = ("examples", "tests")  # folders that may include anything that the layers offer
README_LINES = 60
TORCH_H_SOURCES = 10

# Prefixes of system headers (beside std) that a layer may include: prefix -> which files of the layer (a regular
# expression over the path, for all files when empty).
ALLOWED = {
    "models": {
        "ATen/": "", "c10/": "", "torch/": "",
        "nlohmann/": r"/files/|/tokenizers?/|/templates/|/network/spec\.|^models/plain_text\.",
        "hwy/": r"^models/arithmetic/", "omp.h": r"^models/arithmetic/parallel\.", "cblas.h": r"kernel", "immintrin.h": r"kernel",
        "pcre2.h": r"/tokenizers?/", "utf8proc.h": r"/tokenizers?/|/templates/",
    },
    "runtime": {
        "torch/csrc/distributed/": r"/parallel/", "gloo/": r"/parallel/gloo\.",
        "ATen/": "", "c10/": "", "torch/": "", "nlohmann/": "", "fmt/": "", "spdlog/": "",
        "toml++/": r"\.cpp$", "boost/asio": r"http|wire|net/", "boost/beast": r"http|wire|net/",
        "caf/": r"shim|caf|messages|errors?\.", "pcre2.h": r"/scoring/",
        "boost/system": r"wire", "xxhash.h": r"wire", "xxh_x86dispatch.h": r"wire",
        "sqlite3.h": "", "zstd.h": "", "zstd_errors.h": "", "zlib.h": "", "openssl/": "",
    },
    "actors": {
        "ATen/": "", "c10/": "", "torch/": "", "nlohmann/": "", "fmt/": "", "spdlog/": "", "caf/": "",
        "openssl/err.h": r"nodes/caf_links\.",  # what CAF leaves in the queue of errors
        "CLI/": r"^actors/commands/",
    },
}
# Pulled out of the prefixes above: found in exactly one unit (one stem) of the layer.
ONE_UNIT = {"runtime": ("toml++/",)}
# Layers below see only themselves and what they stand on.
MAY_USE = {"models": ("models",), "runtime": ("models", "runtime"), "actors": LAYERS}
# std headers of threads and clocks: models/ are functions of tensors.
NOT_IN_MODELS = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "stop_token", "semaphore",
                 "barrier", "latch", "chrono", "ctime"}
# An actor is what a header of actors/ declares a spawn function for (a template is a helper). Its sources may not
# include another actor's header; those that spawn them may, and so may sources that are no actor.
SPAWNS = re.compile(r"^(template\b[^\n]*\n)?[^\n/]*\bspawn_\w+\(caf::actor_system\b", re.MULTILINE)
SPAWNERS = ("supervisor", "run", "run_books")

# What the light program is made of beside the list in cmake/core.cmake: none of it, nor what it includes, may include
# LibTorch or CAF. The two headers hold nothing but versions.
LIGHT = ("actors/main.cpp", "actors/front/", "actors/commands/")
HEAVY = ("ATen/", "c10/", "torch/", "caf/")
VERSIONS = ("torch/version.h", "caf/config.hpp")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SYSTEM = re.compile(r"^(\w+|sys/\w+\.h|netinet/\w+\.h|arpa/inet\.h|(unistd|fcntl|glob|sched|signal|spawn|poll|malloc|netdb|dlfcn|execinfo)\.h)$")


def tracked(root):
    """Paths of the tree's files: those that git tracks, or all where git is no help."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard"], capture_output=True)
    if git.returncode == 0 and git.stdout:
        names = git.stdout.decode().split("\0")
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*")]
    folders = LAYERS + FREE
    return sorted(n for n in names if n.split("/")[0] in folders and (root / n).is_file())


def includes(path):
    """(line number, '"' or '<', header) of every include directive of a file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1], found[2]


def actors_of(root, names):
    """Stems of the actors: paths of actors/ headers with a spawn function, without ".hpp"."""
    headers = [n for n in names if n.startswith("actors/") and n.endswith(".hpp")]
    texts = {n[:-4]: (root / n).read_text(encoding="utf-8") for n in headers}
    return {stem for stem, text in texts.items() if any(not found[1] for found in SPAWNS.finditer(text))}


def of_ours(name, header, actors):
    """What is wrong with a quoted include, or None."""
    layer, target = name.split("/")[0], header.split("/")[0]
    if target not in LAYERS + FREE:
        return f'"{header}": quoted includes start at the root ("models/...", "runtime/...", "actors/...")'
    if layer in FREE:
        return None
    if target not in MAY_USE[layer]:
        return f"{layer}/ may not include {target}/ (models <- runtime <- actors)"
    stem, other = name.rsplit(".", 1)[0], header.rsplit(".", 1)[0]
    if stem in actors and other in actors and stem != other and Path(stem).name not in SPAWNERS:
        return f'"{header}" belongs to another actor: actors meet in actors/interfaces.hpp'
    return None


def of_others(name, header):
    """What is wrong with an include of a system header, or None."""
    layer = name.split("/")[0]
    if header in ("torch/torch.h", "torch/all.h", "torch/extension.h") and name.endswith(".hpp"):
        return f"{header} in a header costs every file 26 s: include ATen/core/Tensor.h"
    if header.split("/")[0] in LAYERS:
        return f'<{header}> is ours: write #include "{header}"'
    if layer in FREE:
        return None
    if layer == "models" and header in NOT_IN_MODELS:
        return f"<{header}>: models/ know no threads and no clocks"
    if SYSTEM.match(header):
        return None
    for prefix, files in ALLOWED[layer].items():
        if header.startswith(prefix):
            return None if re.search(files, name) else f"<{header}> is for {layer}/ files that match '{files}' only"
    return f"<{header}> is not for {layer}/"


def once(found):
    """Violations of 'in one unit only' and of the number of files with torch/torch.h."""
    for layer, prefixes in ONE_UNIT.items():
        for prefix in prefixes:
            users = [(n, line) for n, line, h in found if n.startswith(layer + "/") and h.startswith(prefix)]
            units = sorted({n.rsplit(".", 1)[0] for n, _ in users})
            for name, line in users:
                if len(units) > 1:
                    yield name, line, f"{prefix} belongs in one unit of {layer}/, it is in {', '.join(units)}"
    heavy = [(n, line) for n, line, h in found if h == "torch/torch.h"]
    for name, line in heavy[TORCH_H_SOURCES:]:
        yield name, line, f"torch/torch.h in more than {TORCH_H_SOURCES} files: include single ATen/ops headers"


def light(root, names, found):
    """Sources of the light library and program that reach a header of LibTorch or CAF, and by which way."""
    listed = root / "cmake/core.cmake"
    text = listed.read_text(encoding="utf-8") if listed.is_file() else ""
    core = re.search(r"set\(SLIPSTREAM_CORE\s+([^)]*)\)", text)
    prefixes = LIGHT + tuple(core[1].split() if core else ())
    headers = {}
    for name, _, header in found:
        headers.setdefault(name, []).append(header)
    for name in names:
        if not (name.startswith(prefixes) and name.endswith(".cpp")):
            continue
        ways, open_ = {name: (name,)}, [name]
        for place in open_:
            for header in headers.get(place, []):
                if header.startswith(HEAVY) and header not in VERSIONS:
                    way = " -> ".join(ways[place] + (header,))
                    yield name, 1, f"needs no tensor and no actor, as cmake/core.cmake says, but includes one: {way}"
                    open_.clear()
                    break
                if header not in ways:
                    ways[header] = ways[place] + (header,)
                    open_.append(header)


def grad_modes(root, names):
    """Sources that switch gradients off without naming the header: LibTorch 1.13's ATen/ATen.h has it, 2.x's not."""
    for name in names:
        text = (root / name).read_text(encoding="utf-8") if name.endswith((".cpp", ".hpp")) else ""
        if "at::NoGradGuard" in text and "<ATen/core/grad_mode.h>" not in text:
            yield name, text[: text.index("at::NoGradGuard")].count("\n") + 1, "include <ATen/core/grad_mode.h>"


def readmes(root, names):
    """Violations of the READMEs' rules: one in each layer, and none longer than README_LINES."""
    for layer in LAYERS:
        if any(n.startswith(layer + "/") for n in names) and f"{layer}/README.md" not in names:
            yield f"{layer}/README.md", 1, "missing: every layer has a README"
    for name in names:
        if name.endswith("README.md"):
            lines = len((root / name).read_text(encoding="utf-8").splitlines())
            if lines > README_LINES:
                yield name, lines, f"{lines} lines, at most {README_LINES} in a code folder"


def violations(root):
    """(file, line, message) of everything that breaks a rule under a folder."""
    names, found = tracked(root), []
    actors = actors_of(root, names)
    for name in names:
        if name.endswith((".cpp", ".hpp")):
            for line, mark, header in includes(root / name):
                found.append((name, line, header))
                wrong = of_ours(name, header, actors) if mark == '"' else of_others(name, header)
                if wrong:
                    yield name, line, wrong
    yield from once(found)
    yield from light(root, names, found)
    yield from grad_modes(root, names)
    yield from readmes(root, names)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    wrong = list(violations(root))
    for name, line, message in wrong:
        print(f"{name}:{line}: error: {message}")
    if not tracked(root):
        print(f"{root}: error: no sources here")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

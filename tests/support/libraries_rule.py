"""What the program loads: each library once, one OpenMP, and from LibTorch only LibTorch. A Python wheel has fmt, Gloo,
protobuf and other libraries inside; one of their symbols in place of the system's would be silent damage.

usage: libraries_rule.py PROGRAM LIBRARY"""
import collections
import re
import subprocess
import sys

TORCH = r"^(at|c10|torch|caffe2|c10d|at_|torch_)\b|^(vtable|typeinfo|typeinfo name|VTT|guard variable) for (at|c10|torch|caffe2|c10d)::"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loaded(program):
    """Paths of the libraries, by name without a version."""
    found = collections.defaultdict(set)
    for name, path in re.findall(r"^\s*(\S+) => (\S+)", run("ldd", program), re.MULTILINE):
        found[name.split(".so")[0]].add(path)
    return found


def symbols(library, which):
    """Demangled names of dynamic symbols: what a library lacks (--undefined-only) or has (--defined-only)."""
    lines = run("nm", "-D", "-C", which, library).splitlines()
    return {re.sub(r"@.*", "", line[19:] if which == "--defined-only" else line.strip()[2:]) for line in lines}


def main(program, *ours):
    faults = []
    libraries = loaded(program)
    for name, paths in libraries.items():
        if len(paths) > 1:
            faults.append(f"{name} is loaded more than once: {', '.join(sorted(paths))}")
    openmp = [path for name in libraries if re.match(r"lib(gomp|omp|iomp5)\b", name) for path in libraries[name]]
    if len(openmp) != 1:
        faults.append(f"not one OpenMP library is loaded but {len(openmp)}: {', '.join(sorted(openmp))}")

    lacking = set().union(*(symbols(library, "--undefined-only") for library in ours))
    for name in libraries:
        if re.match(r"lib(torch|c10)", name):
            for path in libraries[name]:
                taken = lacking & symbols(path, "--defined-only")
                faults += [f"{symbol} would come from {path}" for symbol in sorted(taken)
                           if re.search(r"\b(fmt|gloo|google::protobuf|nlohmann|spdlog|boost)::", re.sub(r"\(.*", "", symbol))
                           and not re.search(TORCH, symbol)]
    print("\n".join(faults) or f"{len(libraries)} libraries, one OpenMP ({openmp[0]})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

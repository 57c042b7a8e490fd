#!/usr/bin/env python3
"""Installs the packages that `./dev package` made into a fresh Debian, with nothing but what they declare, and uses them:
the quickstart by a user, the warning about another BLAS, examples built by CMake and by pkg-config, lintian, the tarball.
By hand: needs root, debootstrap, a network and 6 GB of disk.

usage: package.py [--release bookworm|trixie] [--base ROOT] [--recommends] [--keep] [FOLDER_OF_PACKAGES]
  --base        a minimal system of the release to copy instead of calling debootstrap
  --recommends  install what is recommended, too, as apt does for most people
"""
import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import chroot

SOURCE = Path(__file__).resolve().parents[2]
CONFIGS = "/usr/share/slipstream/configs/quickstart/"
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(mine LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(slipstream REQUIRED)
add_executable(embed embed.cpp)
target_link_libraries(embed PRIVATE slipstream::slipstream)
"""


def expect(true, text):
    if not true:
        sys.exit(f"package: error: {text}")


class System:
    """A root with the packages at /packages and a user who lives in /home/person."""

    def __init__(self, root, packages):
        self.root, self.binds = root, [(packages, "/packages")]

    def shell(self, script, user="root", folder="/", **options):
        print(f"$ {script}", flush=True)
        return chroot.run(self.root, ["bash", "-euo", "pipefail", "-c", script], folder, user, {"LANG": "C.UTF-8",
                          "DEBIAN_FRONTEND": "noninteractive"}, self.binds, **options)

    def person(self, script, **options):
        """Returns what was printed and what was said."""
        done = self.shell(script, "person", "/home/person", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)
        expect(done.returncode == 0, f"exit code {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout, done.stderr

    def install(self, what, recommends=False):
        how = "" if recommends else "--no-install-recommends"
        print(self.shell(f"apt-get install -y {how} {what} >/tmp/log 2>&1 || {{ cat /tmp/log; exit 1; }}; "
                         "grep -E 'newly installed|disk space|Need to get' /tmp/log", stdout=subprocess.PIPE).stdout, flush=True)


def warnings(said):
    return [line for line in said.splitlines() if line.startswith("warning: matrices are multiplied by ")]


def quickstart(system):
    begin = time.monotonic()
    printed, said = system.person("slipstream run " + " ".join(CONFIGS + n for n in ("sft.toml", "reward.toml", "rlhf.toml")))
    print(printed)
    expect(not warnings(said), said)
    greedy = float(re.search(r"quickstart-rlhf\s+\d+\s+(\d\.\d+)", printed)[1])
    expect(greedy > 0.85, f"greedy {greedy}")
    print(f"quickstart: {time.monotonic() - begin:.0f} s", flush=True)


def other_blas(system):
    """Another BLAS comes and is preferred, as apt's alternatives have it; then it goes."""
    short = f"slipstream run {CONFIGS}sft.toml --set run.updates=1 --set run.name=short-$RANDOM$RANDOM"
    for package, says in (("libopenblas0-pthread", "OpenBLAS with threads of its own"), ("libblis4-openmp", "not OpenBLAS")):
        system.install(package)
        if package.startswith("libblis"):
            system.shell("name=libblas.so.3-$(uname -m)-linux-gnu; update-alternatives --set $name "
                         "$(update-alternatives --list $name | grep blis)")
        said = warnings(system.person(short)[1])
        expect(len(said) == 1 and says in said[0], f"no warning of {package}: {said}")
        print(said[0])
        system.shell(f"apt-get -qq purge -y --autoremove {package} >/dev/null")
    expect(not warnings(system.person(short)[1]), "it warns of the OpenMP build")


def examples(system):
    system.install("/packages/libslipstream-dev_*.deb")
    system.install("g++ cmake make pkgconf")
    system.person("cp /usr/share/doc/libslipstream-dev/examples/*.cpp .")
    (system.root / "home/person/CMakeLists.txt").write_text(PROJECT)
    by_cmake, _ = system.person("cmake -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build && build/embed")
    expect('"status": "finished"' in by_cmake, by_cmake)
    for name in ("embed", "order"):
        by_hand, _ = system.person(f"g++ -std=c++20 -O2 {name}.cpp -o {name} $(pkg-config --cflags --libs slipstream) && ./{name}")
        expect(by_hand.strip(), f"{name} prints nothing")
    print("examples: built and run, by CMake and by pkg-config", flush=True)


def tarball(system):
    system.shell("apt-get -qq purge -y slipstream libslipstream1 libslipstream-dev >/dev/null")
    printed, said = system.person(
        "tar -xzf /packages/slipstream-*.tar.gz && cd slipstream-*/ && bin/slipstream run "
        "share/slipstream/configs/quickstart/sft.toml --set run.updates=2")
    expect("quickstart-sft" in printed, printed + said)
    print("tarball: runs from a home folder", flush=True)


def lintian(system):
    system.install("lintian")
    print(system.shell("lintian --version; lintian --fail-on error --allow-root --tag-display-limit 0 /packages/*.deb",
                       stdout=subprocess.PIPE).stdout, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", nargs="?", default=SOURCE / "build" / "package" / "packages", type=Path)
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--base")
    parser.add_argument("--recommends", action="store_true")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    root = chroot.make(given.release, SOURCE / "build" / "packages-tried" / given.release, given.base)
    system = System(root, given.packages.resolve())
    system.shell("apt-get -qq update && apt-get clean && useradd --create-home person")
    before = chroot.sizes(root)[0]
    system.install("/packages/slipstream_*.deb /packages/libslipstream1_*.deb", given.recommends)
    system.shell("apt-get clean")
    print(f"installed: {(chroot.sizes(root)[0] - before) / 1e6:.0f} MB with everything the program needs", flush=True)
    quickstart(system)
    other_blas(system)
    examples(system)
    tarball(system)
    lintian(system)
    if not given.keep:
        chroot.remove(root)
    print(f"The packages work on {given.release}.")


if __name__ == "__main__":
    main()

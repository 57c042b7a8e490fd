#!/usr/bin/env python3
"""The Containerfile and the devcontainer, step by step, without a container engine. By hand: needs root, debootstrap, a
network, 8 GB of disk and the time of a whole build.

usage: container.py [--base ROOT] [--ccache FOLDER] [--keep] [--only image,devcontainer]
       container.py --read    only reads both files and looks whether they keep the rules; needs nothing
  --base    a minimal Debian 13 to copy instead of calling debootstrap
  --ccache  a compiler's cache that the builds inside may use
  --keep    leave the root of the last stage under build/container
"""
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import chroot
from containerfile import Build, Stage, instructions

SOURCE = Path(__file__).resolve().parents[2]
FOLDER = SOURCE / "build" / "container"
IMAGES = {"docker.io/library/debian:13-slim": "trixie"}
CONFIGS = "/usr/share/slipstream/configs/quickstart/"


def expect(true, text):
    if not true:
        sys.exit(f"container: error: {text}")


def read():
    """The rules that can be seen without carrying anything out."""
    steps = list(instructions((SOURCE / "Containerfile").read_text()))
    unknown = [name for name, _ in steps if not hasattr(Build, f"do_{name.lower()}")]
    expect(not unknown, f"steps that this script does not know: {unknown}")
    starts = [i for i, (name, _) in enumerate(steps) if name == "FROM"]
    expect(len(starts) == 2, f"{len(starts)} stages")
    images = [steps[i][1].split()[0] for i in starts] + [devcontainer_file()["image"]]
    expect(set(images) <= set(IMAGES), f"images: {images}")
    last = dict(steps[starts[1]:])
    expect(last.get("USER") not in (None, "root", "0"), "the program would run as root")
    expect(json.loads(last["ENTRYPOINT"]) == ["slipstream"], "it does not start the program")
    for name in ("onCreateCommand", "postCreateCommand"):
        expect(name in devcontainer_file(), f"the devcontainer has no {name}")
    print("The Containerfile and the devcontainer keep the rules.")


def devcontainer_file():
    return json.loads((SOURCE / ".devcontainer" / "devcontainer.json").read_text())


def image_checks(stage):
    """What the finished image must be."""
    packages = stage.run(["dpkg-query", "-W", "-f", "${Package}\n"], capture_output=True).stdout.split()
    tools = [name for name in packages if name.endswith("-dev") or name in ("g++", "gcc", "cmake", "make", "git")]
    expect(not tools, f"a run needs no {', '.join(tools)}")
    expect("libopenblas0-openmp" in packages, "the OpenMP build of OpenBLAS is missing")
    who = stage.run(["id", "-u"], capture_output=True).stdout.strip()
    expect(who != "0", "it runs as root")
    expect("Subcommands" in stage.start(capture_output=True).stdout, "it does not say its help")
    begin = time.monotonic()
    ran = stage.start("run", *(CONFIGS + name for name in ("sft.toml", "reward.toml", "rlhf.toml")),
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(ran.stdout)
    expect("warning" not in ran.stderr, f"it warns: {ran.stderr}")
    print(f"quickstart in the image: {time.monotonic() - begin:.0f} s", flush=True)


def image(base, options, keep):
    begin = time.monotonic()
    build = Build(SOURCE, FOLDER, base, options)
    stage = build.build((SOURCE / "Containerfile").read_text())
    print(f"both stages: {time.monotonic() - begin:.0f} s")
    for other in build.stages.values():
        if other is not stage:
            chroot.remove(other.root)
    size, packed = chroot.sizes(stage.root)
    plain, plain_packed = chroot.sizes(base(next(iter(IMAGES)), FOLDER / "plain"))
    chroot.remove(FOLDER / "plain")
    print(f"image: {size / 1e6:.0f} MB, {packed / 1e6:.0f} MB compressed; "
          f"without its base {(size - plain) / 1e6:.0f} MB, {(packed - plain_packed) / 1e6:.0f} MB", flush=True)
    image_checks(stage)
    if not keep:
        chroot.remove(stage.root)


def devcontainer(base, options):
    """Its commands in its image, with the tree where the editor puts it."""
    given = devcontainer_file()
    build = Build(SOURCE, FOLDER, base, options)
    build.stage = stage = Stage(base(given["image"], FOLDER / "devcontainer"))
    build.do_workdir("/workspaces/slipstream")
    build.do_copy(". .")
    stage.user = given["remoteUser"]
    for name in ("onCreateCommand", "postCreateCommand"):
        build.do_run(given[name])
    expect((stage.inside("build/release/build.ninja")).exists(), "nothing is configured")
    stage.run(["ninja", "-C", "build/release", "CMakeFiles/slipstream_runtime.dir/runtime/plumbing/say.cpp.o"])
    print("devcontainer: configured, and a file compiled", flush=True)
    chroot.remove(stage.root)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base")
    parser.add_argument("--ccache")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", default="image,devcontainer")
    parser.add_argument("--read", action="store_true")
    given = parser.parse_args()
    read()
    if given.read:
        return
    options = {}
    if given.ccache:
        options = {"binds": [(given.ccache, "/root/.cache/ccache")],
                   "environment": {"LANG": "C.UTF-8"}}  # ccache keeps what was compiled in another locale apart
    base = lambda name, root: chroot.make(IMAGES[name], root, given.base, slim=True)
    if "image" in given.only:
        image(base, options, given.keep)
    if "devcontainer" in given.only:
        devcontainer(base, options)
    print("The container's steps work.")


if __name__ == "__main__":
    main()

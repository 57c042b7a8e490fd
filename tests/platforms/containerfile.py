"""Carries out a Containerfile in root file systems, without a container engine: the steps that ours uses, and no others."""
import json
import re
import shutil
from pathlib import Path

import chroot


def instructions(text):
    """(name, rest) of every instruction: comments left out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, rest = line.strip().split(None, 1)
            yield name.upper(), rest.strip()


class Stage:
    """A root file system and what the instructions so far say of it."""

    def __init__(self, root):
        self.root, self.user, self.folder = Path(root), "root", "/"
        self.environment, self.entrypoint, self.command = {}, [], []

    def inside(self, path):
        """Where a path of the image lies on this machine."""
        return Path(f"{self.root}/{path if path.startswith('/') else f'{self.folder}/{path}'}")

    def run(self, words, **options):
        environment = {**self.environment, **options.pop("environment", {})}
        return chroot.run(self.root, words, self.folder, self.user, environment, **options)

    def start(self, *words, **options):
        """As `podman run IMAGE WORDS`."""
        return self.run(self.entrypoint + list(words or self.command), **options)


class Build:
    """`base(image, root)` makes the root of a FROM; `run_options` go to every RUN (a compiler's cache)."""

    def __init__(self, context, folder, base, run_options=None):
        self.context, self.folder, self.base = Path(context), Path(folder), base
        self.run_options = run_options or {}
        self.stages, self.stage = {}, None
        ignored = (self.context / ".dockerignore").read_text().split()
        if any(set(pattern) & set("*?[!/") for pattern in ignored):
            raise ValueError("only plain names at the root are understood in .dockerignore")
        self.ignored = set(ignored)

    def build(self, text):
        """Returns the last stage."""
        for name, rest in instructions(text):
            print(f"==> {name} {rest}", flush=True)
            step = getattr(self, f"do_{name.lower()}", None)
            if step is None:
                raise ValueError(f"{name} is not understood")
            step(rest)
        return self.stage

    def do_from(self, rest):
        words = rest.split()
        name = words[2] if len(words) == 3 and words[1].upper() == "AS" else f"stage{len(self.stages)}"
        self.stage = Stage(self.base(words[0], self.folder / name))
        self.stages[name] = self.stage

    def do_env(self, rest):
        name, value = rest.split("=", 1)
        self.stage.environment[name] = value.strip('"')

    def do_user(self, rest):
        self.stage.user = rest

    def do_workdir(self, rest):
        self.stage.inside(rest).mkdir(parents=True, exist_ok=True)
        self.stage.folder = rest

    def do_entrypoint(self, rest):
        self.stage.entrypoint = json.loads(rest)

    def do_cmd(self, rest):
        self.stage.command = json.loads(rest)

    def do_run(self, rest):
        binds = list(self.run_options.get("binds", ()))
        while found := re.match(r"--mount=(\S+)\s+", rest):
            mount = dict(part.split("=", 1) for part in found[1].split(","))
            if mount["type"] != "bind":
                raise ValueError(f"a mount of type {mount['type']} is not understood")
            binds.append((self.stages[mount["from"]].inside(mount["source"]), mount["target"]))
            rest = rest[found.end():]
        self.stage.run(["/bin/sh", "-c", rest], binds=binds, environment=self.run_options.get("environment", {}))
        for here, there in binds:  # an engine takes the mount's empty folder away again
            if here not in dict(self.run_options.get("binds", ())):
                self.stage.inside(there).rmdir()

    def do_copy(self, rest):
        *sources, to = rest.split()
        start, ignored = self.context, self.ignored
        if sources[0].startswith("--from="):
            start, ignored = self.stages[sources.pop(0)[7:]].root, set()
        target = self.stage.inside(to)
        for source in sources:
            path = start / source.lstrip("/")
            if path.is_dir():
                leave_out = lambda folder, names: [n for n in names if Path(folder) == start and n in ignored]
                shutil.copytree(path, target, symlinks=True, ignore=leave_out, dirs_exist_ok=True)
            else:
                into = to.endswith("/") or len(sources) > 1 or target.is_dir()
                (target if into else target.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target / path.name if into else target, follow_symlinks=False)

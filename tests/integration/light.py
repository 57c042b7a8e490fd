#!/usr/bin/env python3
"""The light program: what needs no tensor it answers at once and by itself; for the rest it becomes the computing program.

usage: light.py PROGRAM COMPUTING_PROGRAM [--seconds LIMIT]
"""
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM, COMPUTING = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
LIMIT = float(sys.argv[4]) if len(sys.argv) > 4 else 0.15
TOPOLOGY = """
run = { name = "light", updates = 1 }
schedule = { batch = 8, max_staleness = 1 }
models.policy = { architecture = "llama", alphabet = "abc", hidden_size = 8, layers = 1, heads = 1 }
[actors]
prompts = { kind = "loader", dataset = "lines.jsonl" }
sampler = { kind = "sampler", takes = "prompts", model = "policy", group = 4 }
right = { kind = "scorer.exact_match", takes = "sampler" }
advantage = { kind = "advantage.grpo", takes = "right" }
learner = { kind = "learner", takes = "advantage", model = "policy", loss = "decoupled_ppo", learning_rate = 1e-3 }
"""
# What is wrong, how the topology gets so, and a part of what is said.
FAULTS = [
    ("syntax", ("[actors]", "[actors"), "lines"),
    ("a table", ("updates = 1", "updates = 0"), "updates must be"),
    ("a kind", ('"scorer.exact_match"', '"scorer.exact_mach"'), "Did you mean"),
    ("a sampler's key", ("group = 4", "grup = 4"), 'unknown key "grup"'),
    ("a loader's key", ('dataset = "lines.jsonl"', 'dataset = "lines.jsonl", chat = "nobody\'s"'), "chat"),
    ("an advantage's key", ('takes = "right"', 'takes = "right", weights = { left = 1 }'), "not in takes"),
    ("a learner's key", ("learning_rate = 1e-3", "learning_rate = 1e-3, eps_lo = 0.1"), 'unknown key "eps_lo"'),
    ("a loss", ('"decoupled_ppo"', '"decoupled_pro"'), 'Did you mean "decoupled_ppo"'),
    ("a correction", ("learning_rate = 1e-3", "learning_rate = 1e-3, kl_target = 0.1"), "kl_target is of no use here"),
    ("an edge", ('takes = "advantage"', 'takes = "right"'), "Put an advantage actor between them"),
    ("a model", ('takes = "prompts", model = "policy"', 'takes = "prompts", model = "polcy"'), "polcy"),
    ("groups", ("batch = 8", "batch = 9"), "not divisible by group = 4"),
    ("the contract", ("max_staleness = 1", 'max_staleness = 0, order = "windowed", window = 9'), "would starve"),
    ("an order", ("max_staleness = 1", 'order = "windwed"'), "is no order of consumption"),
]
failures = 0


def require(good, what, *details):
    global failures
    print(("ok: " if good else "FAILED: ") + what)
    if not good:
        failures += 1
        print(*details, sep="\n")


def run(*words, program=PROGRAM, folder=None):
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=60)


def seconds(*words, folder=None):
    """The median of ten."""
    times = []
    for _ in range(10):
        begin = time.monotonic()
        run(*words, folder=folder)
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def loads_nothing_heavy():
    loaded = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    heavy = [line.strip() for line in loaded.splitlines() if "libtorch" in line or "libc10" in line or "libcaf" in line]
    require(not heavy, "it loads neither LibTorch nor CAF", *heavy)


def answers_alike(folder):
    for what, (good, bad), said in FAULTS:
        assert good in TOPOLOGY, good
        (folder / "bad.toml").write_text(TOPOLOGY.replace(good, bad))
        light = run("check", "bad.toml", folder=folder)
        heavy = run("check", "bad.toml", program=COMPUTING, folder=folder)
        require(light.returncode == 2 and (said in light.stderr or what == "syntax"), f"check names a fault: {what}", light.stderr)
        require((light.returncode, light.stdout, light.stderr) == (heavy.returncode, heavy.stdout, heavy.stderr),
                "and the computing program says the same", light.stderr, heavy.stderr)


def answers_at_once(folder):
    for words in (["--help"], ["--version"], ["run", "--help"], ["manual"]):
        took = seconds(*words)
        require(took < LIMIT, f"{' '.join(words)} takes {took:.3f} s")
    for what, (good, bad), _ in FAULTS:
        (folder / "bad.toml").write_text(TOPOLOGY.replace(good, bad))
        took = seconds("check", "bad.toml", folder=folder)
        require(took < LIMIT, f"check of a fault ({what}) takes {took:.3f} s")


def computes(folder):
    (folder / "good.toml").write_text(TOPOLOGY)
    (folder / "lines.jsonl").write_text('{"prompt": "ab", "answer": "c"}\n')
    done = run("check", "good.toml", folder=folder)
    require(done.returncode == 0 and "good.toml: ok" in done.stdout, "a topology without a fault is checked to the end",
            done.stdout, done.stderr)
    picture = run("graph", "good.toml", folder=folder)
    require(picture.returncode == 0 and "weights" in picture.stdout, "a topology is drawn", picture.stdout, picture.stderr)
    shutil.copy(PROGRAM, folder / "alone")
    for library in PROGRAM.parent.glob("libslipstream_core.so*"):
        shutil.copy(library, folder)
    alone = subprocess.run([folder / "alone", "inspect", "nothing"], capture_output=True, text=True,
                           env={"LD_LIBRARY_PATH": str(folder)})
    require(alone.returncode == 1 and "slipstream-compute" in alone.stderr and "install slipstream again" in alone.stderr,
            "without the computing program it says which file is missing, and what to do", alone.returncode, alone.stderr)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        loads_nothing_heavy()
        answers_alike(folder)
        computes(folder)
        answers_at_once(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

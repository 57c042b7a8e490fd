#!/usr/bin/env python3
"""Whole runs with one or two samplers, in the learner's process and in processes of their own: the same books, the same
bound, and at max_staleness = 0 with exact numerics the same bits; and how long a sampler makes no tokens because of new
weights. The quickstart's RLHF topology. Run it from the root of the tree, after ./dev build:

    python3 tests/bench/nodes.py --updates 20
"""
import argparse
import bisect
import hashlib
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from experiment import PROGRAM, once, overrides, read_run  # noqa: E402

QUICKSTART = pathlib.Path("configs/quickstart")
# As the quickstart is, where the sampler is quicker than the learner and waits for its versions; with two of them; slow
# ones, which the versions meet in the middle of answers; nothing ahead.
KINDS = {
    "single": {},
    "ahead": {},
    "slow": {"actors.sampler.slots": 8, "schedule.max_staleness": 2},
    "exact": {"schedule.max_staleness": 0, "run.numerics": "exact"},
}
BOOKS = ("drawn", "trained", "dropped", "in_flight", "reissued")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", nargs="*", help="\"runs\", or names of those of nodes.cpp")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--kind", action="append", choices=KINDS, help="one of these only; may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/bench-nodes"))
    return parser.parse_known_args()[0]  # it is called with the arguments of nodes.cpp


def run(given, name, placed, samplers, keys):
    """One run of the quickstart's RLHF; returns its folder."""
    nodes = ["a", "b"][:samplers]
    text = (QUICKSTART / "rlhf.toml").read_text()
    text = text.replace('kind = "sampler"\n', f'kind = "sampler"\nreplicas = {samplers}\n' +
                        f"node = {json.dumps(nodes)}\n" * placed)
    shutil.rmtree(given.folder / name, ignore_errors=True)
    file = given.folder / (name + ".toml")
    file.write_text(text + "".join(f"\n[nodes.{node}]\n" for node in nodes) * placed)
    command = [PROGRAM, "launch" if placed else "run", str(file)]
    keys = {"run.name": name, "run.folder": given.folder, "run.updates": given.updates, **keys}
    done = subprocess.run(command + overrides([f"{key}={value}" for key, value in keys.items()]), capture_output=True,
                          text=True)
    if done.returncode:
        raise SystemExit(f"{name} ended with exit code {done.returncode}\n{done.stderr}")
    return given.folder / name


def last(values, at):
    """The last of sorted values that is not above `at`; None if there is none."""
    index = bisect.bisect_right(values, at)
    return values[index - 1] if index else None


def usual_gap(steps):
    """Microseconds between two steps of answers under way, waiting for cores left out."""
    gaps = [after["ts"] - before["ts"] - before["dur"] - after["args"]["queued"]
            for before, after in zip(steps, steps[1:])]
    return statistics.median(gaps)


def stalls(trace, sampler):
    """Milliseconds without a token that the versions cost which a sampler takes over, waiting for cores left out: with
    answers under way, by how much the pause between two steps is longer than usual, and how long taking over was of
    it; where it has nothing to do, from when the learner had computed the version to the next step, and of this, until
    the version was there."""
    spans = sorted((s for s in trace if s["tid"] in (sampler, "learner")), key=lambda s: s["ts"])
    steps = [s for s in spans if s["tid"] == sampler and s["name"] == "decode"]
    begins, ends = [s["ts"] for s in steps], [s["ts"] + s["dur"] for s in steps]
    made = [s["ts"] + s["dur"] for s in spans if s["name"] == "train"]
    usual = usual_gap(steps)
    busy, idle = [], []
    for taken in (s for s in spans if s["name"].startswith("weights")):
        here, following = taken["ts"], bisect.bisect_left(begins, taken["ts"] + taken["dur"])
        learnt, ended = last(made, here), last(ends, here)
        if learnt is None or ended is None or following == len(steps):
            continue
        until = begins[following] - steps[following]["args"]["queued"]
        if taken["name"] == "weights":
            busy.append((max(0.0, until - ended - usual) / 1e3, taken["dur"] / 1e3))
        else:
            idle.append(((until - max(learnt, ended)) / 1e3, (here - max(learnt, ended)) / 1e3))
    return busy, idle


def show_stalls(folder, what):
    trace = [s for s in json.loads((folder / "trace.json").read_text()) if s]
    for sampler in sorted({s["tid"] for s in trace if s["name"] == "decode"}):
        taken = sorted(s["ts"] for s in trace if s["tid"] == sampler and s["name"].startswith("weights"))
        interval = (taken[-1] - taken[0]) / 1e3 / (len(taken) - 1)
        busy, idle = stalls(trace, sampler)
        text = f"{what}, {sampler}, {interval:.0f} ms between two versions: "
        if busy:
            longer, own = zip(*busy)
            mean = statistics.mean(longer)
            text += (f"{len(busy)} came in the middle of answers and cost {mean:.2f} ms each (median "
                     f"{statistics.median(longer):.2f}, most {max(longer):.1f}): {mean / interval:.2%}, "
                     f"of which taking over {statistics.mean(own):.3f} ms; ")
        if idle:
            whole, there = zip(*idle)
            text += (f"{len(idle)} were waited for, and the next step came {statistics.median(whole):.1f} ms (median) "
                     f"after the learner had computed them, the weights {statistics.median(there):.1f} ms after it")
        print(text, flush=True)


def books(folder):
    summary, _ = read_run(folder)
    figures = {name: summary["ledger"].get(name) for name in BOOKS}
    return {**figures, "bound": summary["staleness_bound"], "oldest": summary["staleness_max"]}


def ages(folder):
    """Mean share of tokens by age over all updates."""
    _, metrics = read_run(folder)
    names = sorted({age for line in metrics for age in line.get("staleness_histogram", {})}, key=int)
    return {age: round(statistics.mean(line["staleness_histogram"].get(age, 0.0) for line in metrics), 4)
            for age in names}


def bits(folder):
    return hashlib.sha256((folder / "checkpoints" / "last" / "model.safetensors").read_bytes()).hexdigest()


def main():
    given = arguments()
    if given.measurement and "runs" not in given.measurement:
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    once(str(QUICKSTART / "sft.toml"), given.folder)
    if not (given.folder / "quickstart-reward" / "summary.json").exists():
        subprocess.run([PROGRAM, "run", str(QUICKSTART / "reward.toml"), "--resume",
                        *overrides([f"run.folder={given.folder}"])], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    failed = False
    for kind in given.kind or KINDS:
        keys = KINDS[kind]
        samplers = 1 if kind == "single" else 2
        one = run(given, kind + "-one", False, samplers, keys)
        placed = run(given, kind + "-placed", True, samplers, keys)
        runs = ((one, "one process"), (placed, f"{samplers + 1} processes"))
        for folder, what in runs:
            print(f"{kind}, {what}: {books(folder)}, tokens by age {ages(folder)}", flush=True)
        for folder, what in runs:
            show_stalls(folder, f"{kind}, {what}")
        good = books(one) == books(placed)
        if kind == "exact":
            same = bits(one) == bits(placed)
            print(f"exact: the weights of one and of more processes are {'the same' if same else 'NOT THE SAME'} bits")
            good = good and same
        verdict = "the same" if good else "NOT THE SAME"
        print(f"{kind}: the books of one and of more processes are {verdict}", flush=True)
        failed = failed or not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

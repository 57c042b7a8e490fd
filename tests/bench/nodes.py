#!/usr/bin/env python3
"""Whole runs with two samplers, in the learner's process and in processes of their own: the same books, the same bound,
and at max_staleness = 0 with exact numerics the same bits; and how long a sampler makes no tokens because of new weights.
The quickstart's RLHF topology. Run it from the root of the tree, after ./dev build:

    python3 tests/bench/nodes.py --updates 20
"""
import argparse
import bisect
import hashlib
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from experiment import PROGRAM, once, overrides, read_run  # noqa: E402

QUICKSTART = pathlib.Path("configs/quickstart")
SAMPLERS = ("sampler-1", "sampler-2")
BOOKS = ("drawn", "trained", "dropped", "in_flight", "reissued")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", nargs="*", help="\"runs\", or names of those of nodes.cpp")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/bench-nodes"))
    return parser.parse_known_args()[0]  # it is called with the arguments of nodes.cpp


def run(given, name, placed, keys):
    """One run of the quickstart's RLHF with two samplers; returns its folder."""
    text = (QUICKSTART / "rlhf.toml").read_text()
    text = text.replace('kind = "sampler"\n', 'kind = "sampler"\nreplicas = 2\n' + 'node = ["a", "b"]\n' * placed)
    file = given.folder / (name + ".toml")
    file.write_text(text + "\n[nodes.a]\n[nodes.b]\n" * placed)
    command = [PROGRAM, "launch" if placed else "run", str(file)]
    keys = {"run.name": name, "run.folder": given.folder, "run.updates": given.updates, **keys}
    done = subprocess.run(command + overrides([f"{key}={value}" for key, value in keys.items()]), capture_output=True,
                          text=True)
    if done.returncode:
        raise SystemExit(f"{name} ended with exit code {done.returncode}\n{done.stderr}")
    return given.folder / name


def before(values, at):
    """The last of sorted values that is not above `at`; None if there is none."""
    index = bisect.bisect_right(values, at)
    return values[index - 1] if index else None


def stalls(trace, sampler):
    """For each version after the first that a sampler takes over: milliseconds without a token (waiting for cores left
    out) from when the learner had computed it, or the sampler's last step before it if that was later, to the next step;
    and of these, until it was there, taking it over, and what came after."""
    spans = sorted((s for s in trace if s), key=lambda s: s["ts"])
    steps = [s for s in spans if s["tid"] == sampler and s["name"] == "decode"]
    begins, ends = [s["ts"] for s in steps], [s["ts"] + s["dur"] for s in steps]
    made = sorted(s["ts"] + s["dur"] for s in spans if s["tid"] == "learner" and s["name"] == "train")
    result = []
    for taken in (s for s in spans if s["tid"] == sampler and s["name"] == "weights"):
        here, held = taken["ts"], taken["ts"] + taken["dur"]
        learnt, last, following = before(made, here), before(ends, here), bisect.bisect_left(begins, held)
        if learnt is None or last is None or following == len(steps):
            continue
        since = max(learnt, last)
        after = max(0.0, begins[following] - held - steps[following]["args"]["queued"])
        result.append([part / 1e3 for part in (here - since + taken["dur"] + after, here - since, taken["dur"], after)])
    return result


def update_seconds(metrics):
    return (metrics[-1]["seconds"] - metrics[0]["seconds"]) / (len(metrics) - 1)


def show_stalls(folder, what):
    trace = json.loads((folder / "trace.json").read_text())
    taken = sorted(s["ts"] for s in trace if s and s["tid"] in SAMPLERS and s["name"] == "weights")
    versions = sum(1 for s in trace if s and s["tid"] == SAMPLERS[0] and s["name"] == "weights")
    interval = (taken[-1] - taken[0]) / 1e3 / max(versions - 1, 1)
    for sampler in SAMPLERS:
        rows = stalls(trace, sampler)
        whole, waited, swapped, after = zip(*rows)
        mean = statistics.mean
        print(f"{what}, {sampler}: without tokens for {mean(whole):.1f} ms a version (median "
              f"{statistics.median(whole):.1f}, most {max(whole):.1f}) of {interval:.0f} ms: {mean(whole) / interval:.2%}; "
              f"until it was there {mean(waited):.2f}, taking it over {mean(swapped):.3f}, after {mean(after):.2f} "
              f"({len(rows)} versions)", flush=True)


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
    for kind, keys in (("ahead", {}), ("exact", {"schedule.max_staleness": 0, "run.numerics": "exact"})):
        one = run(given, kind + "-one", False, keys)
        three = run(given, kind + "-three", True, keys)
        for folder, what in ((one, "one process"), (three, "three processes")):
            print(f"{kind}, {what}: {books(folder)}, tokens by age {ages(folder)}", flush=True)
        for folder, what in ((one, "one process"), (three, "three processes")):
            show_stalls(folder, f"{kind}, {what}")
        good = books(one) == books(three)
        if kind == "exact":
            same = bits(one) == bits(three)
            print(f"exact: the weights of one and of three processes are {'the same bits' if same else 'NOT THE SAME'}")
            good = good and same
        print(f"{kind}: the books of one and of three processes are {'the same' if good else 'NOT THE SAME'}", flush=True)
        failed = failed or not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

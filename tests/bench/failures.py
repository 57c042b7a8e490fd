#!/usr/bin/env python3
"""The two failures that configs/experiments holds, beside the topologies that avoid them, as plots: a learned reward
that is hacked, and a learning rate without warm-up. Three seeds each, from one SFT model and one reward model. Finished
runs are left alone by a second call. Writes reward-hacking.svg and no-warmup.svg into the folder. Run it from the root
of the tree, after ./dev build:

    python3 tests/bench/failures.py --jobs 2
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from experiment import PROGRAM, once, overrides, read_run, with_interval  # noqa: E402

ARMS = {
    "reward-hacking": ("configs/experiments/reward-hacking.toml", True),
    "with KL": ("configs/quickstart/rlhf.toml", True),
    "no-warmup": ("configs/experiments/no-warmup.toml", False),
    "with warm-up": ("configs/quickstart/rlhf-checker.toml", False),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one thread each")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/bench-failures"))
    return parser.parse_args()


def name_of(arm, seed):
    return f"{arm.replace(' ', '-')}-seed{seed}"


def run_all(given):
    sft = once("configs/quickstart/sft.toml", given.folder)
    if not (given.folder / "quickstart-reward" / "summary.json").exists():
        subprocess.run([PROGRAM, "run", "configs/quickstart/reward.toml", "--resume",
                        *overrides([f"run.folder={given.folder}"])], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    judge = given.folder / "quickstart-reward" / "checkpoints" / "last"
    queue = [(arm, seed) for seed in range(1, given.seeds + 1) for arm in ARMS
             if not (given.folder / name_of(arm, seed) / "summary.json").exists()]
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue:
                    return
                arm, seed = queue.pop(0)
            file, learned = ARMS[arm]
            keys = [f"run.name={name_of(arm, seed)}", f"run.folder={given.folder}", "run.threads=1", f"run.seed={seed}",
                    f"run.updates={given.updates}", f"models.policy.from={sft}", "actors.heldout.every=4"]
            keys += [f"models.reward.from={judge}"] if learned else []
            done = subprocess.run([PROGRAM, "run", file, "--resume", *overrides(keys)], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{name_of(arm, seed)} ended with exit code {done.returncode}\n{done.stderr}")
            print(name_of(arm, seed), file=sys.stderr, flush=True)

    workers = [threading.Thread(target=work) for _ in range(given.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def lines(given, arm, read):
    """Each seed's curve, as blocks that gnuplot draws apart."""
    blocks = []
    for seed in range(1, given.seeds + 1):
        summary, metrics = read_run(given.folder / name_of(arm, seed))
        blocks.append("\n".join(f"{x} {y}" for x, y in read(summary, metrics)))
    return "\n\n\n".join(blocks)


def accuracy(summary, _):
    return [(entry["version"], entry["accuracy_greedy"]) for entry in summary["eval_history"]["heldout"]]


def reward(_, metrics):
    return [(line["update"], line["reward_mean"]) for line in metrics]


def norm(_, metrics):
    return [(line["update"], line["grad_norm"]) for line in metrics]


def plot(given, file, panels):
    """Panels below each other: (title of the axis, [(legend, data)])."""
    if not shutil.which("gnuplot"):
        return print("no plots: gnuplot is missing", file=sys.stderr)
    script = [f"set terminal svg size 760,{260 * len(panels)} background 'white'",
              f"set output '{given.folder / file}'", f"set multiplot layout {len(panels)},1", "set grid",
              "set key outside right"]
    for index, (title, curves) in enumerate(panels):
        names = [f"$d{index}_{i}" for i in range(len(curves))]
        script += [f"{name} << EOD\n{data}\nEOD" for name, (_, data) in zip(names, curves)]
        script += [f"set ylabel '{title}'", f"set xlabel '{'updates' if index + 1 == len(panels) else ''}'"]
        script.append("plot " + ", ".join(f"{name} using 1:2 with lines lw 1.5 lc {i + 1} title '{legend}'"
                                          for i, (name, (legend, _)) in enumerate(zip(names, curves))))
    subprocess.run(["gnuplot"], input="\n".join(script) + "\nunset multiplot\n", text=True, check=True)


def main():
    given = arguments()
    if not pathlib.Path(PROGRAM).exists():
        raise SystemExit(f"{PROGRAM} is missing: run ./dev build first")
    run_all(given)
    for file, pair in (("reward-hacking.svg", ("reward-hacking", "with KL")),
                       ("no-warmup.svg", ("no-warmup", "with warm-up"))):
        second = ("gradient norm", norm) if "warmup" in file else ("learned reward", reward)
        plot(given, file, [(title, [(arm, lines(given, arm, read)) for arm in pair])
                           for title, read in (("held-out accuracy, greedy", accuracy), second)])
    print("| topology | greedy, at the end | sampled | least greedy on the way | reward, last update |\n|---|---|---|---|---|")
    for arm in ARMS:
        runs = [read_run(given.folder / name_of(arm, seed)) for seed in range(1, given.seeds + 1)]
        column = lambda read: with_interval([read(*run) for run in runs])
        print(f"| {arm} | {column(lambda s, m: s['eval']['accuracy_greedy'])} | "
              f"{column(lambda s, m: s['eval']['accuracy_sampled'])} | "
              f"{column(lambda s, m: min(e['accuracy_greedy'] for e in s['eval_history']['heldout']))} | "
              f"{column(lambda s, m: m[-1]['reward_mean'])} |")


main()

#!/usr/bin/env python3
"""How much off-policy each correction tolerates: RL on the quickstart's task with samples that are eta versions old, for
each eta, correction and seed, at a constant learning rate after warm-up.

With lag "exactly" a batch is made wholly by version max(0, b - eta), so the machine's speed plays no part; with
"at_most" eta bounds the age, and the mean that came out of it stands on the axis. Every finished run is a line of
RESULTS; a second call does what is missing (runs that were stopped go on). Writes table.md, exactly.svg and
at_most.svg beside it. Several CPU hours; run it from the root of the tree, after ./dev build:

    python3 tests/bench/corrections.py --jobs 2
"""
import argparse
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from experiment import PROGRAM, interval, mean_of, once, overrides, read_run, results, run_missing  # noqa: E402
from experiment import with_interval  # noqa: E402

GROUP, CRITIC, VTRACE = (f"configs/{name}.toml" for name in
                         ("quickstart/rlhf-checker", "algorithms/ppo", "algorithms/vtrace"))
# What the plot calls it, the topology, and the keys in which it differs.
CORRECTIONS = {
    "behaviour": ("PPO, clipped around the behaviour policy", GROUP, ["loss=ppo"]),
    "recomputed": ("PPO, around recomputed log-probabilities", GROUP, ["loss=ppo_recomputed", "allow_uncorrected=true"]),
    "decoupled": ("decoupled PPO", GROUP, ["loss=decoupled_ppo"]),
    "truncated": ("decoupled, weights truncated at 2 (TIS)", GROUP, ["loss=tis"]),
    "masked": ("decoupled, weights outside [0.5, 5] masked (IcePop)", GROUP, ["loss=icepop"]),
    "cispo": ("CISPO", GROUP, ["loss=cispo"]),
    "critic": ("critic and GAE, clipped around the behaviour policy", CRITIC, ["loss=ppo"]),
    "vtrace": ("critic and V-trace", VTRACE, []),
}
FIELDS = ("lag", "correction", "eta", "seed", "updates", "batch", "rate", "mini_batches")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(part) for part in text.split(",")]
    words = lambda text: text.split(",")
    parser.add_argument("--staleness", type=numbers, default=[0, 1, 2, 4, 8, 16], help="values of eta")
    parser.add_argument("--corrections", type=words, default=list(CORRECTIONS), help=", ".join(CORRECTIONS))
    parser.add_argument("--lags", type=words, default=["exactly", "at_most"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--batch", type=int, default=64, help="answers an update")
    parser.add_argument("--mini-batches", type=int, default=1, help="optimizer steps an update is cut into")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one thread each")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/bench-corrections"))
    parser.add_argument("--results", type=pathlib.Path, help="default: results.jsonl in the folder")
    parser.add_argument("--report", action="store_true", help="run nothing, only write table and plots")
    given = parser.parse_args()
    given.results = given.results or given.folder / "results.jsonl"
    for name in given.corrections:
        if name not in CORRECTIONS:
            parser.error(f"no correction {name}: there are {', '.join(CORRECTIONS)}")
    return given


def plan(given):
    """The runs, seed by seed: what is there of them compares all corrections."""
    for lag in given.lags:
        for seed in range(1, given.seeds + 1):
            for eta in given.staleness:
                if eta == 0 and lag == "at_most" and "exactly" in given.lags:
                    continue  # the same run
                for correction in given.corrections:
                    yield {"lag": lag, "correction": correction, "eta": eta, "seed": seed,
                           "updates": given.updates, "batch": given.batch, "rate": given.rate,
                           "mini_batches": given.mini_batches}


def name_of(run):
    steps = "" if run["mini_batches"] == 1 else "-of{mini_batches}".format(**run)
    return "{lag}-{correction}-eta{eta}-seed{seed}-{updates}x{batch}-{rate}".format(**run) + steps


def command(run, folder, sft):
    _, topology, keys = CORRECTIONS[run["correction"]]
    sets = [f"run.name={name_of(run)}", f"run.folder={folder}", "run.threads=1", f"run.seed={run['seed']}",
            f"run.updates={run['updates']}", f"schedule.batch={run['batch']}", f"schedule.max_staleness={run['eta']}",
            f"schedule.lag={run['lag']}", "schedule.on_new_weights=finish", f"models.policy.from={sft}",
            "actors.learner.decay=constant", f"actors.learner.learning_rate={run['rate']}",
            f"actors.learner.mini_batches={run['mini_batches']}", "actors.learner.warmup=10"] + [f"actors.learner.{each}" for each in keys]
    if topology != GROUP:
        sets += [f"models.critic.from={sft}", "actors.teacher.decay=constant", "actors.teacher.learning_rate=5e-4",
                 "actors.learner.start_after=8"]
    return [topology, *overrides(sets)]


def figures(folder):
    summary, lines = read_run(folder)
    tail = lines[-max(len(lines) // 10, 1):]
    figure = {"age": mean_of("staleness_mean", lines[len(lines) // 10:]), "reward": mean_of("reward_mean", tail),
              "ess": mean_of("ess", lines), "kl_behaviour": mean_of("kl_behaviour", lines),
              "clip_fraction": mean_of("clip_fraction", lines), "entropy": mean_of("entropy", tail)}
    figure.update({name: summary["eval"].get(name) for name in ("accuracy_greedy", "accuracy_sampled")})
    return figure


def cells(given, kept):
    """(lag, correction, eta) to the finished runs of all seeds."""
    found = {}
    for run in plan(given):
        entry = kept.find(run)
        if entry:
            found.setdefault((run["lag"], run["correction"], run["eta"]), []).append(entry)
            if run["eta"] == 0:
                found.setdefault(("at_most", run["correction"], 0), []).append(entry)
    return found


def text_of(runs, figure):
    finished = [run[figure] for run in runs if run.get(figure) is not None]
    if not finished:
        return "failed" if runs else ""
    text = with_interval(finished)
    failed = len(runs) - len(finished)
    return text + (f", {failed} failed" if failed else "")


def table(given, found):
    lines = []
    for lag in given.lags:
        for figure, title in (("accuracy_sampled", "held-out accuracy, sampled"), ("accuracy_greedy", "greedy"),
                              ("ess", "effective sample size, mean share"), ("age", "mean age of a token")):
            lines += [f"**lag = \"{lag}\": {title}**", "",
                      "| correction | " + " | ".join(f"η = {eta}" for eta in given.staleness) + " |",
                      "|---" * (len(given.staleness) + 1) + "|"]
            for correction in given.corrections:
                row = [text_of(found.get((lag, correction, eta), []), figure) for eta in given.staleness]
                lines.append(f"| {correction} | " + " | ".join(row) + " |")
            lines.append("")
    return "\n".join(lines)


def plot(given, found, lag):
    """Accuracy over eta, or over the realised mean age; bars are the intervals."""
    data, lines = [], []
    for index, correction in enumerate(given.corrections):
        rows = []
        for place, eta in enumerate(given.staleness):
            runs = [run for run in found.get((lag, correction, eta), []) if run.get("accuracy_sampled") is not None]
            if not runs:
                continue
            mean, half = interval([run["accuracy_sampled"] for run in runs])
            age = sum(run["age"] for run in runs) / len(runs)
            at = place + (index - len(given.corrections) / 2) * 0.06 if lag == "exactly" else age
            rows.append(f"{at} {mean} {half if len(runs) > 1 else 0}")
        if rows:
            data.append("$d%d << EOD\n%s\nEOD" % (index, "\n".join(rows)))
            lines.append(f"$d{index} using 1:2:3 with yerrorlines lw 1.5 pt {index + 4} ps 0.6 "
                         f"title '{CORRECTIONS[correction][0]}'")
    if not lines or not shutil.which("gnuplot"):
        return print(f"no plot of {lag}: " + ("gnuplot is missing" if lines else "no finished run"), file=sys.stderr)
    axis = "set xtics (" + ", ".join(f"'{eta}' {place}" for place, eta in enumerate(given.staleness)) + ")\n"
    script = "\n".join(data) + "\nset terminal svg size 900,560 background 'white'\n" + \
        f"set output '{given.results.parent / (lag + '.svg')}'\nset key below maxcols 2\nset grid\nset yrange [0:1]\n" + \
        "set ylabel 'held-out accuracy, sampled'\n" + \
        (axis + "set xrange [-0.5:*]\nset xlabel 'age of every token, in versions'\n" if lag == "exactly"
         else "set xlabel 'mean age of a token, in versions'\n") + "plot " + ", \\\n  ".join(lines) + "\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    given = arguments()
    if not pathlib.Path(PROGRAM).exists():
        raise SystemExit(f"{PROGRAM} is missing: run ./dev build first")
    kept = results(given.results, FIELDS)
    if not given.report:
        sft = once("configs/quickstart/sft.toml", given.folder / "sft")
        run_missing(plan(given), kept, given.folder, given.jobs, name_of,
                    lambda run: command(run, given.folder, sft), figures)
    found = cells(given, kept)
    text = table(given, found)
    (given.results.parent / "table.md").write_text(text)
    for lag in given.lags:
        plot(given, found, lag)
    print(text)


main()

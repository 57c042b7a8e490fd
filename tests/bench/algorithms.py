#!/usr/bin/env python3
"""Every topology of configs/algorithms on the quickstart's task and on countdown, three seeds each: what the model could
do after instruction tuning, after RL, and what that took. Every finished run is a line of RESULTS; a second call does
what is missing. Prints the table and writes it beside the results. Run it from the root of the tree, after ./dev build:

    python3 tests/bench/algorithms.py --jobs 2
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from experiment import PROGRAM, mean_of, once, overrides, read_run, results, run_missing, with_interval  # noqa: E402

# What is otherwise on the harder task.
COUNTDOWN = ["data.make=countdown", "data.folder=data/countdown", "actors.correct.kind=scorer.countdown",
             "actors.heldout.rule=countdown", "actors.sampler.max_new_tokens=16", "actors.heldout.max_new_tokens=16"]
OF_ONE = {"dapo": ["actors.length.max_length=16"], "dr_grpo": ["actors.learner.horizon=16"],
          "gdpo": ["actors.near.kind=scorer.countdown", "actors.near.partial=0.2"]}
TASKS = {"quickstart": 80, "countdown": 150}
FIELDS = ("task", "algorithm", "seed", "updates", "batch")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")
    names = sorted(file.stem for file in pathlib.Path("configs/algorithms").glob("*.toml"))
    parser.add_argument("--tasks", type=words, default=list(TASKS))
    parser.add_argument("--algorithms", type=words, default=names)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=0, help="default: 80, countdown 150")
    parser.add_argument("--batch", type=int, default=256, help="answers an update")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one thread each")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/bench-algorithms"))
    parser.add_argument("--results", type=pathlib.Path, help="default: results.jsonl in the folder")
    parser.add_argument("--report", action="store_true", help="run nothing, only write the table")
    given = parser.parse_args()
    given.results = given.results or given.folder / "results.jsonl"
    return given


def plan(given):
    for seed in range(1, given.seeds + 1):
        for task in given.tasks:
            for algorithm in given.algorithms:
                yield {"task": task, "algorithm": algorithm, "seed": seed, "updates": given.updates or TASKS[task],
                       "batch": given.batch}


def name_of(run):
    return "{task}-{algorithm}-seed{seed}-{updates}x{batch}".format(**run)


def teacher(task, given, sft):
    """The last checkpoint of one run of GRPO, which others learn from."""
    folder = given.folder / "teacher"
    run = {"task": task, "algorithm": "grpo", "seed": 7, "updates": TASKS[task], "batch": 256}
    return once(command(run, folder, sft, None)[0], folder, *command(run, folder, sft, None)[2::2], name=name_of(run))


def command(run, folder, sft, teachers):
    file = pathlib.Path("configs/algorithms") / (run["algorithm"] + ".toml")
    keys = [f"run.name={name_of(run)}", f"run.folder={folder}", "run.threads=1", f"run.seed={run['seed']}",
            f"run.updates={run['updates']}", f"schedule.batch={run['batch']}"]
    keys += [f"models.{model}.from={sft[run['task']]}" for model in ("policy", "critic")
             if f"[models.{model}]" in file.read_text()]
    if "[models.teacher]" in file.read_text():
        keys.append(f"models.teacher.from={teachers[run['task']]}")
    if run["task"] == "countdown":
        keys += COUNTDOWN + OF_ONE.get(run["algorithm"], [])
    return [str(file), *overrides(keys)]


def figures(folder):
    summary, lines = read_run(folder)
    return {"accuracy_greedy": summary["eval"]["accuracy_greedy"],
            "accuracy_sampled": summary["eval"]["accuracy_sampled"], "seconds": summary["seconds"],
            "reward": mean_of("reward_mean", lines[-max(len(lines) // 10, 1):])}


def before(folder):
    """What instruction tuning left: greedy, sampled."""
    scores = read_run(folder)[0]["eval"]
    return scores["accuracy_greedy"], scores["accuracy_sampled"]


def table(given, kept, started):
    lines = []
    for task in given.tasks:
        greedy, sampled = started[task]
        lines += [f"**{task}**: {given.updates or TASKS[task]} updates of {given.batch} answers; before: greedy "
                  f"{greedy:.3f}, sampled {sampled:.3f}", "",
                  "| topology | greedy | sampled | least gain of a seed, sampled | seconds |", "|---|---|---|---|---|"]
        for algorithm in given.algorithms:
            runs = [kept.find(run) for run in plan(given) if run["task"] == task and run["algorithm"] == algorithm]
            runs = [run for run in runs if run]
            good = [run for run in runs if not run["failed"]]
            if not good:
                lines.append(f"| `{algorithm}` | {'failed' if runs else 'not run'} | | | |")
                continue
            column = lambda name: [run[name] for run in good]
            lines.append(f"| `{algorithm}` | {with_interval(column('accuracy_greedy'))} | "
                         f"{with_interval(column('accuracy_sampled'))} | "
                         f"{min(column('accuracy_sampled')) - sampled:+.3f} | "
                         f"{sum(column('seconds')) / len(good):.0f} |" +
                         (f" {len(runs) - len(good)} of {len(runs)} failed" if len(good) < len(runs) else ""))
        lines.append("")
    return "\n".join(lines)


def main():
    given = arguments()
    if not pathlib.Path(PROGRAM).exists():
        raise SystemExit(f"{PROGRAM} is missing: run ./dev build first")
    sft = {task: once(f"configs/{task}/sft.toml", given.folder / "sft") for task in given.tasks}
    taught = "on_policy_distillation" in given.algorithms and not given.report
    teachers = {task: teacher(task, given, sft) for task in given.tasks if taught}
    kept = results(given.results, FIELDS)
    if not given.report:
        run_missing(plan(given), kept, given.folder, given.jobs, name_of,
                    lambda run: command(run, given.folder, sft, teachers), figures)
    text = table(given, kept, {task: before(given.folder / "sft" / (task + "-sft")) for task in given.tasks})
    (given.results.parent / "table.md").write_text(text)
    print(text)


main()

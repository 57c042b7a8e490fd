"""slipstream sweep: a grid that is killed, interrupted and gone on with; its table against figures of our own."""
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]
updates, batch = 30, 16
failures = []


def check(what, good):
    print(("ok      " if good else "FAILED  ") + what, flush=True)
    if not good:
        failures.append(what)


def topology(place):
    return f"""[run]
name = "tiny"
seed = 3
updates = {updates}
threads = 2
folder = "{place}/runs"
checkpoint_every = 7
[schedule]
batch = {batch}
[models.policy]
architecture = "llama"
alphabet = "0123456789="
hidden_size = 16
intermediate_size = 24
layers = 1
heads = 2
max_positions = 24
[actors.prompts]
kind = "loader"
dataset = "{place}/prompts.jsonl"
[actors.sampler]
kind = "sampler"
takes = "prompts"
model = "policy"
group = 4
slots = 8
max_new_tokens = 5
[actors.near]
kind = "scorer.edit_similarity"
takes = "sampler"
[actors.advantage]
kind = "advantage.grpo"
takes = "near"
[actors.learner]
kind = "learner"
takes = "advantage"
model = "policy"
loss = "decoupled_ppo"
learning_rate = 1e-2
"""


def start(place, *arguments, **environment):
    return subprocess.Popen([program, "sweep", str(place / "tiny.toml"), *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, OMP_WAIT_POLICY="passive", SLIPSTREAM_THREADS_SET="1", **environment))


def finish(process, code):
    out, err = process.communicate(timeout=300)
    if process.returncode != code:
        raise SystemExit("%s: exit code %d, not %d\n%s" % (process.args, process.returncode, code, err))
    return out, err


def lines_of(run):
    file = run / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def finished(run):
    file = run / "summary.json"
    return file.exists() and json.loads(file.read_text())["status"] == "finished"


def wait_until(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the sweep ended too early or hung: " + process.communicate()[1])
        time.sleep(0.01)


def alive(pid):
    try:
        state = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def under_way(runs):
    return [run for run in runs if 3 <= len(lines_of(run)) < updates and not finished(run) and
            alive(int((run / "lock").read_text() or 0))]


def spans_of(run):
    """The spans of all parts of a run: trace-1.json … and trace.json, without the line that a kill cut."""
    for file in run.glob("trace*.json"):
        for line in file.read_text().splitlines():
            try:
                span = json.loads(line.rstrip(","))
            except json.JSONDecodeError:
                continue
            if isinstance(span, dict) and "tid" in span:
                yield span


def own_figures(run):
    """What the table says of a run, by another way: from metrics.jsonl and the traces alone."""
    lines = lines_of(run)
    tokens = [line["length_mean"] * batch for line in lines]
    generated = max(sum(tokens), sum(s["args"]["tokens"] for s in spans_of(run) if s["name"] == "decode"))
    last = lines[-max(len(lines) // 10, 1):]
    return {"reward": sum(line["reward_mean"] for line in last) / len(last), "updates": len(lines),
            "trained_tokens": sum(tokens), "generated_tokens": generated, "waste": 1 - sum(tokens) / generated,
            "staleness_mean": sum(l["staleness_mean"] * n for l, n in zip(lines, tokens)) / sum(tokens),
            "staleness_max": max(line["staleness_max"] for line in lines)}


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def interval(values):
    """Mean and Student's 95 % interval of two values (one degree of freedom: 12.7062)."""
    mean = sum(values) / 2
    half = 12.706204736 * abs(values[0] - values[1]) / 2
    return mean, mean - half, mean + half


def same_estimate(told, values):
    return told["seeds"] == 2 and all(near(a, b) for a, b in
                                      zip((told["mean"], told["low"], told["high"]), interval(values)))


def check_table(results, folder):
    arms = results["arms"]
    check("both arms with both seeds", [[r["seed"] for r in arm["runs"]] for arm in arms] == [[3, 4], [3, 4]])
    own = [[own_figures(folder / run["run"]) for run in arm["runs"]] for arm in arms]
    for i, arm in enumerate(arms):
        for run, figures in zip(arm["runs"], own[i]):
            wrong = [k for k, v in figures.items() if not near(run["figures"][k], v)]
            check("%s: figures as recomputed %s" % (run["run"], wrong or ""), not wrong)
            busy = sum(s["dur"] for s in spans_of(folder / run["run"]) if s["tid"] == "learner") / 1e6
            told = run["figures"]["busy.learner"] * run["figures"]["seconds"]
            check("%s: busy time" % run["run"], math.isclose(busy, told, rel_tol=1e-3))
            check("%s: shares of time" % run["run"], near(1, sum(
                run["figures"][kind + ".learner"] for kind in ("busy", "queued", "waiting"))))
            check("%s: all trained tokens have an age" % run["run"],
                  sum(run["token_ages"].values()) == round(figures["trained_tokens"]))
        for key in own[i][0]:
            told = arm["figures"][key]
            values = [figures[key] for figures in own[i]]
            good = same_estimate(told["value"], values)
            if i > 0:
                good = good and same_estimate(told["difference"],
                                              [a[key] - b[key] for a, b in zip(own[i], own[0])])
            if not good:
                check("%s of %s: %s" % (key, arm["label"], told), False)
    check("the bound of each arm", [arm["figures"]["staleness_bound"]["value"]["mean"] for arm in arms] == [0, 2])
    check("prompt streams are paired", results["paired"])
    check("the synchronous arm is the counterpart", [a["synchronous"] for a in arms] == ["max_staleness=0"] * 2)


def grid(place):
    vary = ["--vary", "schedule.max_staleness=0,2", "--seeds", "2", "--jobs", "2"]
    folder = place / "runs" / "tiny-sweep"
    runs = [folder / ("max_staleness-%d.seed-%d" % (bound, seed)) for bound in (0, 2) for seed in (3, 4)]

    process = start(place, *vary)
    wait_until(lambda: any(map(finished, runs)) and under_way(runs), process)
    children = [int((run / "lock").read_text()) for run in under_way(runs)]
    before = {run: (run / "summary.json").stat().st_mtime_ns for run in runs if finished(run)}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 60
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    check("children die with the sweep", children and not any(map(alive, children)))

    results = json.loads(finish(start(place, *vary, "--json"), 0)[0])
    check("finished runs are left alone",
          all((run / "summary.json").stat().st_mtime_ns == stamp for run, stamp in before.items()))
    check_table(results, folder)
    check("results.json is what --json prints", json.loads((folder / "results.json").read_text()) == results)
    page = (folder / "index.html").read_text()
    waste = any(run["wasted"] for arm in results["arms"] for run in arm["runs"])
    check("the page has its pictures, %d" % page.count("<svg"),
          page.count("<svg") == 10 + waste and page.count('type="radio"') == 5)

    out, err = finish(start(place, *vary, PATH="/nowhere"), 0)
    check("without gnuplot the table is there, and a line says what to install", "gnuplot-nox" in err and
          "| reward, last tenth |" in out and "<svg" not in (folder / "index.html").read_text())
    err = finish(start(place, *vary, "--set", "actors.learner.learning_rate=2e-2"), 2)[1]
    check("a changed topology is refused", "learning_rate" in err and "--to" in err)
    err = finish(start(place, *vary[:-1], "1"), 2)[1]
    check("another share of the cores too", "threads" in err)


def interrupted(place):
    """Ctrl-C, and going on after it, with far more updates than anybody waits for."""
    vary = ["--vary", "schedule.max_staleness=0,2", "--jobs", "2", "--set", "run.updates=1000000", "--to",
            str(place / "long")]
    runs = [place / "long" / ("max_staleness-%d.seed-3" % bound) for bound in (0, 2)]
    trained = [0, 0]
    for time_of in ("first", "second"):
        process = start(place, *vary)
        wait_until(lambda: all(len(lines_of(run)) > n + 3 for run, n in zip(runs, trained)), process)
        process.send_signal(signal.SIGINT)
        err = finish(process, 130)[1]
        summaries = [json.loads((run / "summary.json").read_text()) for run in runs]
        check("Ctrl-C ends the runs with their checkpoints, the %s time" % time_of,
              "the same command goes on" in err and all(s["status"] == "stopped" for s in summaries) and
              all((run / "checkpoints" / "last").exists() for run in runs) and
              all(s["updates"] > n for s, n in zip(summaries, trained)))
        trained = [s["updates"] for s in summaries]


def more_seeds(place):
    common = ["--vary", "schedule.max_staleness=1", "--set", "run.updates=4", "--to", str(place / "one"), "--json"]
    finish(start(place, *common), 0)
    summary = place / "one" / "max_staleness-1.seed-3" / "summary.json"
    stamp = summary.stat().st_mtime_ns
    results = json.loads(finish(start(place, *common, "--seeds", "2"), 0)[0])
    check("a grid may grow", [r["finished"] for r in results["arms"][0]["runs"]] == [True, True] and
          summary.stat().st_mtime_ns == stamp)


def pairs(place):
    """A reward model that learns from pairs of sampled answers: most answers are no part of a pair."""
    text = topology(place).replace('"advantage.grpo"', '"pairs"').replace('"decoupled_ppo"', '"reward_pairs"')
    text = text.replace('model = "policy"\nloss', 'model = "judge"\nloss')
    head = text[text.index("[models.policy]"):text.index("[actors.prompts]")]
    text = text.replace(head, head + head.replace("policy", "judge") + 'head = "score"\n')
    (place / "pairs.toml").write_text(text)
    done = subprocess.run([program, "sweep", str(place / "pairs.toml"), "--vary", "schedule.max_staleness=0,1", "--set",
                           "run.updates=10", "--to", str(place / "pairs"), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("pairs: " + done.stderr)
    for arm in json.loads(done.stdout)["arms"]:
        run = arm["runs"][0]
        lines = lines_of(place / "pairs" / run["run"])
        trained = round(sum(line["length_mean"] for line in lines) * (batch // 4 * 2))
        generated = sum(s["args"]["tokens"] for s in spans_of(place / "pairs" / run["run"]) if s["name"] == "decode")
        wasted = run["wasted"]
        check("%s of pairs: %s" % (arm["label"], wasted), "not chosen" in wasted and len(lines) == 10 and
              run["figures"]["trained_tokens"] == trained and generated == trained + sum(wasted.values()) and
              near(run["figures"]["waste"], sum(wasted.values()) / generated) and "loss" in run["figures"])


def failing_arm(place):
    out, err = finish(start(place, "--vary", "actors.learner.learning_rate=1e30,1e-2", "--set", "run.updates=6", "--to",
                            str(place / "failing"), "--json"), 1)
    bad, good = json.loads(out)["arms"]
    check("a run that fails does not lose the others", good["runs"][0]["finished"] and not bad["runs"][0]["finished"] and
          "not finite" in bad["runs"][0]["problem"] and "is left out" in err)


def bad_input(place):
    for vary, said in {"schedule.max_stalenes=0,1": "--vary schedule.max_stalenes: error: unknown key",
                       "schedule.max_staleness=": "no values",
                       "schedule.max_staleness=0,two": "--vary schedule.max_staleness: error: [schedule] max_staleness",
                       "actors.nobody.threads=1": "--vary actors.nobody: error",
                       "run.seed=1,2": "--seeds"}.items():
        err = finish(start(place, "--vary", vary), 2)[1]
        check("--vary %s: %s" % (vary, err.strip()), said in err and len(err.strip().splitlines()) == 1)
    err = finish(start(place, "--jobs", "3"), 2)[1]
    check("more runs than cores are refused", "--jobs 3" in err and "2 cores" in err)
    check("bad input leaves nothing behind", not (place / "runs").exists())


with tempfile.TemporaryDirectory() as name:
    root = pathlib.Path(name)
    (root / "tiny.toml").write_text(topology(root))
    (root / "prompts.jsonl").write_text("".join(
        json.dumps({"prompt": "%d=" % (i * 37 % 1000), "answer": str(i * 37 % 1000)[::-1]}) + "\n" for i in range(40)))
    if not shutil.which("gnuplot"):
        raise SystemExit("gnuplot is missing: ./dev deps installs it")
    bad_input(root)
    grid(root)
    interrupted(root)
    more_seeds(root)
    pairs(root)
    failing_arm(root)
sys.exit("%d failed" % len(failures) if failures else 0)

"""Small runs of the program for the tests beside this file, and what must hold of each when it has ended."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys

updates, batch, group = 40, 16, 4
environment = dict(os.environ, OMP_WAIT_POLICY="passive", SLIPSTREAM_THREADS_SET="1")


class Checks:
    def __init__(self):
        self.failures = []

    def check(self, what, good, say=""):
        print(("ok      " if good else "FAILED  ") + what + ("" if good else "  " + str(say)), flush=True)
        if not good:
            self.failures.append(what)

    def exit(self):
        sys.exit("%d failed" % len(self.failures) if self.failures else 0)


def write_prompts(place):
    (place / "prompts.jsonl").write_text("".join(
        json.dumps({"prompt": "%d=" % (i * 37 % 1000), "answer": str(i * 37 % 1000)[::-1]}) + "\n" for i in range(40)))


def topology(place, name, schedule, checkpoint_every=9, runs=None):
    return f"""[run]
name = "{name}"
numerics = "exact"
seed = 3
updates = {updates}
folder = "{runs or place / "runs"}"
checkpoint_every = {checkpoint_every}
[schedule]
batch = {batch}
{schedule}
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
group = {group}
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


class Program:
    def __init__(self, path):
        self.path = path

    def start(self, file, before=None):
        """`run --resume`; `before` runs in the child before it."""
        return subprocess.Popen([self.path, "run", str(file), "--resume"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=before)

    def run(self, file, before=None):
        process = self.start(file, before)
        message = process.communicate(timeout=300)[1]
        return process.returncode, message

    def output(self, *arguments, code=0):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                              env=environment)
        if done.returncode != code:
            raise SystemExit("%s: exit code %d, not %d\n%s%s" % (arguments, done.returncode, code, done.stdout, done.stderr))
        return done.stdout


def let_run(process):
    """A moment for the program, unless it ends."""
    try:
        process.wait(0.005)
    except subprocess.TimeoutExpired:
        pass


def weights(run):
    return hashlib.sha256((run / "checkpoints" / "last" / "model.safetensors").read_bytes()).hexdigest()


def lines_of(run):
    file = run / "metrics.jsonl"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def check_books(checks, program, run, name, bound):
    summary = json.loads((run / "summary.json").read_text())
    books = json.loads(program.output("ledger", run, "--json"))
    updates_told = [json.loads(line)["update"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    checks.check(name + ": every update once", updates_told == list(range(1, updates + 1)), updates_told)
    checks.check(name + ": the ledger closes", books["closes"] and books["trained"] == updates * batch and
                 books["trained"] == summary["ledger"]["trained"] and books["drawn"] == summary["ledger"]["drawn"],
                 (books, summary["ledger"]))
    checks.check(name + ": the bound holds", summary["staleness_max"] <= bound, summary["staleness_max"])
    replay = json.loads(program.output("replay", run, "--json"))
    if bound == 0:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        checks.check(name + ": the learner computes what the sampler did, to the bit",
                     all(line["ratio_max"] == 1 for line in lines),
                     [line["ratio_max"] for line in lines])
    checks.check(name + ": replay reaches the same bits", replay["equal"] and replay["updates"] == updates and
                 replay["fingerprints_compared"] >= updates and replay["sha256"] == weights(run),
                 replay.get("first_difference"))

"""Whether two programs train the same weights, to the bit: for a change that must not change a number.

usage: same_bits.py BEFORE AFTER [--only WORD,...] [--folder FOLDER]     programs with their libslipstream beside them

Every file of configs/algorithms, and the quickstart's instruction tuning and reward model, on a small model with exact
numerics and several optimizer steps an update; by one rank and by two, with zero = 0, 1 and 3.
- eta = 0: both programs run it; the weights of all learners are compared.
- eta = 2: BEFORE runs it, and AFTER replays its journal.
The values are not kept: they differ between C libraries. A file that one program does not know is told and passed over.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent.parent
LAYOUTS = {"1 rank": (1, 0), "2 ranks": (2, 0), "2 ranks, zero 1": (2, 1), "2 ranks, zero 3": (2, 3)}
SMALL = {"hidden_size": 32, "intermediate_size": 48, "layers": 2, "heads": 2}


class Program:
    def __init__(self, path, name):
        self.path, self.name = pathlib.Path(path).resolve(), name
        self.environment = dict(os.environ, OMP_WAIT_POLICY="passive", SLIPSTREAM_THREADS_SET="1",
                                LD_LIBRARY_PATH=str(self.path.parent))

    def call(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, timeout=600,
                              env=self.environment, cwd=root)
        return done.returncode, done.stdout, done.stderr


def tables_of(file):
    """The topology's tables as [head, text], without those that only evaluate."""
    parts = re.split(r"(?m)^(?=\[[a-z])", file.read_text())
    return [part for part in parts if 'kind = "evaluator' not in part]


def learners_of(tables):
    return [re.match(r"\[actors\.([\w-]+)\]", part).group(1) for part in tables if 'kind = "learner"' in part]


def settings(tables, layout, eta, folder, name):
    """What is otherwise than in the file."""
    replicas, zero = LAYOUTS[layout]
    text = "".join(tables)
    keys = {"run.name": name, "run.folder": folder, "run.numerics": "exact", "run.seed": 3, "run.threads": 2,
            "run.updates": 3, "schedule.batch": 32, "schedule.max_staleness": eta, "data.folder": folder / "data"}
    for part in tables:
        model = re.match(r"\[models\.([\w-]+)\]", part)
        if model and "from =" in part:
            keys["models.%s.from" % model.group(1)] = "run:tiny-sft"
        elif model and "architecture" in part:
            keys.update({"models.%s.%s" % (model.group(1), key): value for key, value in SMALL.items()})
    if "scorer.exact_match" in text:  # a reward that tells the answers of an untrained model apart
        keys["actors.correct.kind"] = "scorer.edit_similarity"
    if "sft_batch" in text:
        keys["actors.learner.sft_batch"] = 8
    for learner in learners_of(tables):
        at = "actors.%s." % learner
        keys[at + "learning_rate"] = 3e-3
        keys[at + "micro_batch"] = 6
        keys[at + "warmup"] = 0
        keys.update({at + "mini_batches": 2, at + "epochs": 2, at + "i_know": "true"})
        if replicas > 1:
            keys.update({at + "replicas": replicas, at + "zero": zero})
    for part in tables:
        if "start_after" in part:
            keys["actors.learner.start_after"] = 1
    if text.count('kind = "learner"') > 1 and replicas > 1:
        keys["run.threads"] = 4
    return [each for key, value in keys.items() for each in ("--set", "%s=%s" % (key, value))]


def weights(run, learners):
    """One sum of all learners' last checkpoints."""
    total = hashlib.sha256()
    files = sorted([*run.glob("checkpoints/last/model.safetensors"), *run.glob("checkpoints/*/last/model.safetensors")])
    if len(files) != len(learners):
        raise SystemExit("%s holds %d last checkpoints, not %d" % (run, len(files), len(learners)))
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


class Comparison:
    def __init__(self, before, after, folder):
        self.before, self.after, self.folder = before, after, folder
        self.same = self.passed_over = 0
        self.different = []

    def note(self, what, good, say=""):
        print("%-9s %s%s" % ("same" if good else "DIFFERENT", what, "" if good else "  " + str(say)), flush=True)
        if good:
            self.same += 1
        else:
            self.different.append(what)

    def run(self, program, file, tables, layout, eta):
        """The run's folder, or none where the program does not know the file."""
        name = "%s-%s-%d-%s" % (program.name, file.stem, eta, layout.replace(" ", "").replace(",", "-"))
        topology = self.folder / (name + ".toml")
        topology.write_text("".join(tables))
        code, _, said = program.call("run", topology, *settings(tables, layout, eta, self.folder, name))
        if code == 2:
            print("passed    %s, %s: %s: %s" % (file.stem, layout, program.name, said.strip().splitlines()[-1][:160]),
                  flush=True)
            return None
        if code != 0:
            raise SystemExit("%s %s: exit code %d\n%s" % (program.name, name, code, said))
        return self.folder / name

    def compare(self, file, layout):
        tables = tables_of(file)
        learners = learners_of(tables)
        runs = [self.run(program, file, tables, layout, 0) for program in (self.before, self.after)]
        if not all(runs):
            self.passed_over += 1
            return
        first, second = (weights(run, learners) for run in runs)
        self.note("%s, %s, eta 0" % (file.stem, layout), first == second, (first, second))
        if "scorer" not in "".join(tables):
            return  # demonstrations and pairs do not age
        stale = self.run(self.before, file, tables, layout, 2)
        code, out, said = self.after.call("replay", stale, "--json")
        report = json.loads(out) if out.startswith("{") else {"equal": False, "said": said}
        good = code == 0 and report["equal"] and report["updates"] == 3 and report["fingerprints_compared"] >= 3
        good = good and report["sha256"] == hashlib.sha256(
            (stale / "checkpoints" / "last" / "model.safetensors").read_bytes()).hexdigest()
        self.note("%s, %s, eta 2 replayed" % (file.stem, layout), good, said or report)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--only", default="", help="files whose names hold one of these words")
    parser.add_argument("--folder", help="keeps the runs there")
    given = parser.parse_args()
    files = sorted((root / "configs" / "algorithms").glob("*.toml"))
    files += [root / "configs" / "quickstart" / name for name in ("sft.toml", "reward.toml")]
    files = [file for file in files if any(word in file.stem for word in given.only.split(","))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(given.folder or scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        before, after = Program(given.before, "before"), Program(given.after, "after")
        sft = root / "configs" / "quickstart" / "sft.toml"
        small = [part for key, value in SMALL.items() for part in ("--set", "models.policy.%s=%s" % (key, value))]
        if not (folder / "tiny-sft" / "summary.json").exists():
            code, _, said = before.call("run", sft, "--set", "run.name=tiny-sft", "--set", "run.folder=%s" % folder,
                                        "--set", "run.updates=60", "--set", "schedule.batch=64", "--set",
                                        "data.folder=%s" % (folder / "data"), *small)
            if code != 0:
                sys.exit(said)
        found = Comparison(before, after, folder)
        for file in files:
            for layout in LAYOUTS:
                found.compare(file, layout)
        print("%d same, %d different, %d passed over" % (found.same, len(found.different), found.passed_over))
        sys.exit(1 if found.different else 0)


main()

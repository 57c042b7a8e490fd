"""The program in shells and folders as they are: closed and full outputs, files that change under a run.

python3 shells.py PROGRAM"""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time
from pathlib import Path

PROGRAM = str(Path(sys.argv[1]).resolve())
TOPOLOGY = """[run]
name = "x"
folder = "runs"
updates = {updates}
checkpoint_every = 10
[schedule]
batch = 4
[models.policy]
architecture = "llama"
alphabet = "0123456789="
hidden_size = 16
intermediate_size = 24
layers = 1
heads = 2
max_positions = 24
[actors.data]
kind = "loader"
dataset = "data.jsonl"
[actors.learner]
kind = "learner"
takes = "data"
model = "policy"
loss = "sft"
learning_rate = 1e-2
[actors.heldout]
kind = "evaluator.lines"
takes = "learner"
dataset = "data.jsonl"
every = 10
"""


class Place:
    def __init__(self, folder, updates=40):
        self.folder = Path(folder)
        (self.folder / "x.toml").write_text(TOPOLOGY.format(updates=updates))
        self.write_data()

    def write_data(self, first="12"):
        lines = [{"prompt": f"{i}=", "response": first if i == 0 else str(i)} for i in range(20)]
        (self.folder / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def shell(self, command):
        """Exit code, standard output and error of a line of shell, $S being the program."""
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=dict(os.environ, S=PROGRAM),
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def begin(self, *more):
        """A run that has a checkpoint and an evaluation, and has gone on."""
        run = subprocess.Popen([PROGRAM, "run", "x.toml", *more], cwd=self.folder, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL)
        metrics = self.folder / "runs/x/metrics.jsonl"
        while not metrics.exists() or len(metrics.read_text().splitlines()) < 25:
            assert run.poll() is None, "the run has ended before it could be killed"
            time.sleep(0.01)
        return run

    def killed(self):
        run = self.begin()
        run.send_signal(signal.SIGKILL)
        run.wait()
        return self.folder / "runs/x"


def require(condition, what, *seen):
    if not condition:
        sys.exit(f"FAILED: {what}: {seen}")
    print("ok:", what)


def outputs(place):
    code, out, _ = place.shell("$S --version")
    require(code == 0 and re.match(r"slipstream \d+\.\d+\.\d+ \(commit [0-9a-z-]+\)\nLibTorch \d.*CAF 0\.17", out),
            "--version names version, commit and libraries", out)
    for command in ("check x.toml", "graph x.toml", "check x.toml --json", "--version", "--help"):
        for to in ("> /dev/full", ">&-"):
            code, _, err = place.shell(f"$S {command} {to}")
            require(code == 1 and "standard output cannot be written" in err, f"{command} {to} fails", code, err)
    code, _, err = place.shell("$S run x.toml <&- >&- 2>&-")
    require(code == 0, "a run with all three descriptors closed ends well", code, err)
    folder = place.folder / "runs/x"
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    require([json.loads(line)["update"] for line in lines] == list(range(1, 41)), "its metrics are its own", lines[:2])
    code, out, _ = place.shell("$S ledger runs/x --json")
    require(code == 0 and json.loads(out)["closes"], "its books close", out)
    code, _, err = place.shell("$S ledger runs/x >&-")
    require(code == 1 and "standard output" in err, "a command with a closed output fails", code, err)
    code, _, err = place.shell("$S run x.toml --resume --set run.updates=50")
    require(code == 2 and "updates = 40" in err and "updates = 50" in err, "a finished run takes no other keys", err)
    code, _, err = place.shell("$S run x.toml --resume")
    require(code == 0 and "is finished" in err, "a finished run with the same keys is finished", err)


def changes(place):
    folder = place.killed()
    require(json.loads((folder / "trace.json").read_text())[-1].get("ph"),
            "the trace of a killed run is whole JSON, and its last event is an event")
    place.write_data("13")
    code, _, err = place.shell("$S run x.toml --resume")
    require(code == 2 and "data.jsonl: error: [actors.data] dataset has other contents" in err,
            "changed data are named", code, err)
    place.write_data()
    weights = (folder / "checkpoints/last").resolve() / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    code, _, err = place.shell("$S run x.toml --resume")
    require(code == 2 and "model.safetensors: error: holds other bytes" in err, "a flipped bit is found", code, err)
    weights.write_bytes(whole)
    checkpoints = folder / "checkpoints"
    checkpoints.rename(folder / "away")
    code, _, err = place.shell("$S run x.toml --resume")
    require(code == 2 and "checkpoints: error: there is no checkpoint, but the journal" in err,
            "checkpoints that are missing are named", code, err)
    require(not checkpoints.exists() or not any(checkpoints.iterdir()), "and nothing begins anew")
    shutil.rmtree(checkpoints, ignore_errors=True)
    (folder / "away").rename(checkpoints)
    (checkpoints / "last").unlink()
    code, _, err = place.shell("$S run x.toml --resume")
    summary = json.loads((folder / "summary.json").read_text())
    require(code == 0 and [each["version"] for each in summary["eval_history"]["heldout"]] == [10, 20, 30, 40],
            "the run goes on, and its evaluations are all there", code, err, summary.get("eval_history"))


def lost_folder(place):
    """The folder of a run that is under way goes, and another run takes its name."""
    for replaced in (False, True):
        shutil.rmtree(place.folder / "runs", ignore_errors=True)
        run = place.begin("--set", "run.updates=1000000")
        (place.folder / "runs/x").rename(place.folder / f"elsewhere-{replaced}")
        code, err = None, ""
        if replaced:
            code, _, err = place.shell("$S run x.toml")
        ended, said = run.wait(), run.stderr.read().decode()
        require(ended == 1 and "the run's folder was removed" in said, "a run whose folder is lost ends and says so", ended, said)
        if replaced:
            require(code == 0, "the other run is none the wiser", code, err)
            lines = (place.folder / "runs/x/metrics.jsonl").read_text().splitlines()
            require([json.loads(line)["update"] for line in lines] == list(range(1, 41)), "and its figures are its own")
            code, out, _ = place.shell("$S ledger runs/x --json")
            require(code == 0 and json.loads(out)["closes"], "and its books close", out)
        else:
            require(not (place.folder / "runs/x").exists(), "nothing is made where it was")


def main():
    for part in (outputs, changes, lost_folder):
        with tempfile.TemporaryDirectory() as folder:
            part(Place(folder))


main()

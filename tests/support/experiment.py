"""What the long experiments of tests/bench share: runs as child processes, results as lines of a file that a second call
completes, means with intervals."""
import json
import math
import pathlib
import shutil
import subprocess
import sys
import threading

PROGRAM = "build/release/slipstream"
# Student's t at 95 % for 1, 2, ... degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def interval(values):
    """Mean and half of the 95 % interval."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, STUDENT[min(len(values) - 1, len(STUDENT)) - 1] * math.sqrt(variance / len(values))


def with_interval(values, digits=3):
    mean, half = interval(values)
    return f"{mean:.{digits}f} ± {half:.{digits}f}" if len(values) > 1 else f"{mean:.{digits}f} (one seed)"


def mean_of(name, lines):
    """Of a figure of metrics.jsonl, over the lines that have it."""
    values = [line[name] for line in lines if name in line]
    return sum(values) / len(values) if values else math.nan


def read_run(folder):
    """Summary and lines of metrics of a finished run."""
    summary = json.loads((folder / "summary.json").read_text())
    return summary, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def rounded(figures):
    return {name: None if value is None or math.isnan(value) else round(value, 5) for name, value in figures.items()}


def overrides(keys):
    return [part for each in keys for part in ("--set", each)]


def once(topology, folder, *keys, name=None):
    """The last checkpoint of a run that others begin from; it is run when it is missing."""
    name = name or pathlib.Path(topology).parent.name + "-sft"
    if not (folder / name / "summary.json").exists():
        print(f"first, for others to begin from: {topology}", file=sys.stderr)
        subprocess.run([PROGRAM, "run", topology, "--resume", *overrides([f"run.folder={folder}", *keys])], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / name / "checkpoints" / "last"


class results:
    """Lines of JSON by the fields that say which run it was."""

    def __init__(self, file, fields):
        self.file, self.fields = file, fields
        self.done = {}
        if file.exists():
            for line in file.read_text().splitlines():
                if line.endswith("}"):  # the last may be cut off
                    entry = json.loads(line)
                    self.done[self.key(entry)] = entry

    def key(self, entry):
        return tuple(entry.get(name, 1) for name in self.fields)  # a field that came later

    def find(self, run):
        return self.done.get(self.key(run))

    def add(self, entry):
        self.done[self.key(entry)] = entry
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "a") as out:
            out.write(json.dumps(entry) + "\n")


def run_missing(runs, kept, folder, jobs, name_of, command, figures):
    """Runs what `kept` lacks, `jobs` at a time. A run that fails is a result; one that is interrupted or refused ends
    the program."""
    queue = [run for run in runs if kept.find(run) is None]
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    lock, count, ended = threading.Lock(), len(queue), []

    def work():
        while True:
            with lock:
                if not queue or ended:
                    return
                run = queue.pop(0)
            name = name_of(run)
            log = folder / "logs" / (name + ".txt")
            with open(log, "a") as out:
                code = subprocess.run([PROGRAM, "run", "--resume", *command(run)], stdout=out, stderr=out).returncode
            with lock:
                if code not in (0, 1):
                    ended.append(f"{name} ended with exit code {code}; see {log}")
                    return
                entry = dict(run, failed=code != 0, **(rounded(figures(folder / name)) if code == 0 else {}))
                kept.add(entry)
                shutil.rmtree(folder / name / "journal", ignore_errors=True)
                print(f"{count - len(queue)}/{count} {name}: " + ("failed" if code else
                      f"held-out accuracy {entry['accuracy_sampled']:.3f}"), file=sys.stderr, flush=True)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if ended:
        raise SystemExit("\n".join(ended))

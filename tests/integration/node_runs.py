"""Runs whose samplers and scorers are processes of their own, for the tests beside this file: topologies, processes to
start and to watch, and what must hold of a run when it has ended. The program is the first word of the command line."""
import contextlib
import functools
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import runs
from runs import Checks, Program, environment, lines_of, topology, weights, write_prompts

checks = Checks()
program = Program(sys.argv[1])
limit = 240  # seconds until a test gives a program up

fixed_model = """[models.judge]
copy_of = "policy"
"""
placed = """node = ["a", "b"]
replicas = 2
"""
nodes = """[nodes]
heartbeat = 0.2
timeout = {timeout}
patience = {patience}
[nodes.a]
{a}
[nodes.b]
{b}
"""
reference = """[actors.before]
kind = "reference"
takes = "sampler"
model = "judge"
"""


def text_of(place, name, staleness, on_nodes, with_reference=False, a="", b="", timeout=3, patience=30,
            long=False, changes=()):
    """The small topology of runs.py, its sampler (and a reference) on nodes or not. `changes`: pairs of texts."""
    text = topology(place, name, "max_staleness = %d\n" % staleness)
    if with_reference:
        text = text.replace("[actors.prompts]", fixed_model + "[actors.prompts]")
        text = text.replace("[actors.near]", reference + (placed if on_nodes else "") + "[actors.near]")
        text = text.replace('takes = "near"', 'takes = ["near", "before"]')
        text = text.replace('loss = "decoupled_ppo"', 'loss = "decoupled_ppo"\nkl = 0.05')
    if long:
        text = longer(text)
    for before, after in changes:
        text = text.replace(before, after)
    if on_nodes:
        text = text.replace('kind = "sampler"\n', 'kind = "sampler"\n' + placed)
        text += nodes.format(a=a, b=b, timeout=timeout, patience=patience)
    return text


class Place:
    """A folder with data and topologies."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        write_prompts(self.folder)

    def write(self, name, *arguments, **keys):
        file = self.folder / (name + ".toml")
        file.write_text(text_of(self.folder, name, *arguments, **keys))
        return file

    def run(self, name):
        return self.folder / "runs" / name


@contextlib.contextmanager
def started(*words, within=(), more={}, **keys):
    """A program and a file with what it says; it is ended with the block. `within`: words before the program's name;
    `more`: for its environment; further keys are Popen's."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        keys = {"stdout": subprocess.DEVNULL, "stderr": log, **keys}
        process = subprocess.Popen([*within, program.path, *map(str, words)], env={**environment, **more}, **keys)
        process.said = lambda: pathlib.Path(log.name).read_text()
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def until(condition, process=None):
    """Waits for a condition; False when the process ends before, or it takes too long."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end or (process is not None and process.poll() is not None):
            return condition()
        time.sleep(0.01)
    return True


def processes(run):
    file = run / "processes.json"
    return json.loads(file.read_text()) if file.exists() else {}


def alive(pid):
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def spans_of(folder, replica):
    """How often the replica has computed."""
    trace = folder / "trace.json"
    return trace.read_text().count('"%s"' % replica) if trace.exists() else 0


def wait_for_end(process):
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None


@functools.cache
def undisturbed(updates, **keys):
    """The weights of a run of that many updates in one process, to compare with."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        code, message = program.run(place.write("one", 0, False, **keys))
        checks.check("a run in one process ends well", code == 0, message)
        return weights(place.run("one"))


def check_run(place, name, staleness=0, **keys):
    """The books, the bound, the replay and, where nothing runs ahead, the bits of an undisturbed run."""
    run = place.run(name)
    runs.check_books(checks, program, run, name, staleness)
    summary = json.loads((run / "summary.json").read_text())
    books = json.loads(program.output("ledger", run, "--json"))
    checks.check(name + ": the journal tells of the same reissues",
                 books["reissued"] == summary["ledger"]["reissued"],
                 (books, summary["ledger"]))
    if staleness == 0:
        checks.check(name + ": the bits of one process", weights(run) == undisturbed(runs.updates, **keys))


def join_address(run, folder):
    """Where nodes may join, as the run says in its log."""
    log = folder / "log.txt"
    until(lambda: log.exists() and "joins at" in log.read_text(), run)
    return log.read_text().split("joins at ")[1].split()[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def longer(text):
    """Answers of 180 to 220 tokens: samplers work nearly all the time, so that whoever is lost had something, and the
    run outlasts the second or two that a process takes to start again."""
    return text.replace("max_positions = 24", "max_positions = 240").replace(
        "max_new_tokens = 5", "max_new_tokens = 220\nmin_new_tokens = 180")


def begun(run, folder, processes_there=3):
    """Whether all nodes are there and some updates are done, but not all."""
    return until(lambda: lines_of(folder) >= 5 and len(processes(folder)) == processes_there, run) and \
        run.poll() is None


def orphaned(folder, file, processes_there=2):
    """kill -9 of a run: its nodes end, and launch --resume goes on to the end."""
    with started("launch", file) as run:
        checks.check("orphans: begins", begun(run, folder, processes_there), run.said())
        pids = processes(folder)
        run.kill()
        run.wait()
        checks.check("orphans: no process is left", until(lambda: not any(alive(pid) for pid in pids.values())), pids)
    with started("launch", file, "--resume") as run:
        checks.check("orphans: goes on to the end", wait_for_end(run) == 0, run.said())

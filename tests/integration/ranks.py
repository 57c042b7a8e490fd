"""A learner whose ranks are processes of their own: the bits of threads, and what becomes of a run when one of them is
killed, stopped, never comes, or stands in the wrong place.

usage: ranks.py PROGRAM [PART...]     the parts are the functions at the end of this file; ctest runs two of them
"""
import functools
import json
import os
import pathlib
import signal
import struct
import sys
import tempfile

import runs
from node_runs import Place, alive, checks, join_address, nodes, orphaned, processes, program, started, until, wait_for_end
from runs import lines_of, weights

runs.updates = 12

placed = {2: '["", "a"]', 3: '["", "a", "b"]'}


def text_of(place, name, ranks, node="", zero=0, keys="", a="", b="", timeout=3, patience=30, updates=0,
            rank_timeout=20):
    """The small topology of runs.py with so many ranks, on nodes or not; long answers where it has to be met midway."""
    text = runs.topology(place, name, "max_staleness = 0\n", checkpoint_every=3)
    text = text.replace('name = "%s"\n' % name, 'name = "%s"\nthreads = 4\n' % name)
    text = text.replace("learning_rate = 1e-2", "learning_rate = 1e-3")
    if updates:
        text = text.replace("updates = %d" % runs.updates, "updates = %d" % updates)
    if ranks > 1:
        text += "replicas = %d\nzero = %d\nrank_timeout = %d\n" % (ranks, zero, rank_timeout)
    if node:
        text += "node = %s\n" % node
    text += keys
    if node:
        text += nodes.format(a=a, b=b, timeout=timeout, patience=patience)
    return text


def write(place, name, ranks, **keys):
    file = place.folder / (name + ".toml")
    file.write_text(text_of(place.folder, name, ranks, **keys))
    return file


def values(run):
    """The last checkpoint's weights as numbers."""
    data = (run / "checkpoints" / "last" / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    count = (len(data) - 8 - size) // 4
    return struct.unpack("<%df" % count, data[8 + size:])


def figures(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


@functools.cache
def of_threads(ranks, updates, zero=0):
    """Weights and figures of so many ranks in one process."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        code, message = program.run(write(place, "threads", ranks, zero=zero, updates=updates))
        checks.check("%d ranks in one process end well" % ranks, code == 0, message)
        run = place.run("threads")
        return weights(run), figures(run), values(run)


def launch(place, name, ranks, **keys):
    with started("launch", write(place, name, ranks, **keys)) as run:
        checks.check(name + ": ends well", wait_for_end(run) == 0, run.said())
        return run.said()


def check_end(place, name, ranks, updates=0, zero=0):
    """The bits and books of ranks in one process, and a replay that reaches them."""
    run = place.run(name)
    if updates == 0:
        runs.check_books(checks, program, run, name, 0)
    checks.check(name + ": the bits of threads", weights(run) == of_threads(ranks, updates, zero)[0])
    checks.check(name + ": the figures of threads", figures(run) == of_threads(ranks, updates, zero)[1])


def same_bits(place):
    """Two and three ranks, sharded or not, all of them elsewhere or one of them here; one learner's weights nearly."""
    for ranks in (2, 3):
        name = "far-%d" % ranks
        launch(place, name, ranks, node=placed[ranks])
        check_end(place, name, ranks)
        few = "few-%d" % ranks
        launch(place, few, ranks, node=placed[ranks], updates=3)
        apart = max(abs(x - y) for x, y in zip(of_threads(1, 3)[2], values(place.run(few))))
        checks.check("%d ranks do what one does, within 1e-6" % ranks, apart < 1e-6, apart)
    launch(place, "again", 3, node=placed[3])
    checks.check("again: the same bits", weights(place.run("again")) == weights(place.run("far-3")))
    launch(place, "sharded", 3, node='["", "", "a"]', zero=1)
    check_end(place, "sharded", 3)
    launch(place, "one-node", 3, node='["", "a", "a"]', zero=1)
    check_end(place, "one-node", 3)
    launch(place, "parts", 3, node='["", "", "a"]', zero=3)
    check_end(place, "parts", 3, zero=3)


def names(place):
    """processes.json and the trace name each rank, and no process is left behind."""
    file = write(place, "named", 3, node='["", "a", "b"]', updates=200)
    folder = place.run("named")
    with started("launch", file) as run:
        checks.check("named: begins", until(lambda: lines_of(folder) >= 2, run), run.said())
        pids = processes(folder)
        checks.check("named: each rank is a process", set(pids) == {"learner", "learner-2", "learner-3"} and
                     pids["learner"] == run.pid and len(set(pids.values())) == 3, pids)
        run.send_signal(signal.SIGINT)
        checks.check("named: is interrupted", wait_for_end(run) == 130, run.said())
        checks.check("named: leaves no process", not any(alive(pid) for pid in pids.values()), pids)
    trace = (folder / "trace.json").read_text()
    checks.check("named: all ranks worked", all('"%s"' % name in trace for name in ("learner-2", "learner-3")))


def break_one(place, name, number, ranks, zero, said, updates=120, **keys):
    """A rank's process gets a signal midway; the run ends with one message, and --resume reaches the same bits."""
    file = write(place, name, ranks, node=placed[ranks], zero=zero, updates=updates, a="restarts = 0", **keys)
    folder = place.run(name)
    with started("launch", file) as run:
        checks.check(name + ": begins", until(lambda: lines_of(folder) >= 5, run) and run.poll() is None, run.said())
        pids = processes(folder)
        os.kill(pids["learner-2"], number)
        checks.check(name + ": ends", wait_for_end(run) == 1, run.said())
        errors = [line for line in run.said().splitlines() if ": error: " in line]
        checks.check(name + ": with one message that names rank and node", len(errors) == 1 and
                     'rank 1 of %d (learner-2 on node "a") %s' % (ranks, said) in errors[0], run.said())
        until(lambda: not any(alive(pid) for key, pid in pids.items()))
        checks.check(name + ": leaves no process", not any(alive(pid) for pid in pids.values()), pids)
    with started("launch", file, "--resume") as run:
        checks.check(name + ": goes on to the end", wait_for_end(run) == 0, run.said())
    check_end(place, name, ranks, updates, zero if zero == 3 else 0)  # zero = 1 has the bits of 0


def kill_a_rank(place):
    break_one(place, "killed", signal.SIGKILL, 3, 1, "is gone")


def stop_a_rank(place):
    break_one(place, "stopped", signal.SIGSTOP, 2, 0, "is gone", timeout=1)


def hang_a_rank(place):
    """As above, but noticed by the others' patience with a rank, not by the link's silence."""
    break_one(place, "hung", signal.SIGSTOP, 2, 3, "hangs", timeout=600, rank_timeout=2)


def lose_the_run(place):
    """kill -9 of the run: its ranks end, and launch --resume loses and repeats nothing."""
    file = write(place, "orphans", 2, node='["", "a"]', updates=120)
    orphaned(place.run("orphans"), file)
    check_end(place, "orphans", 2, 120)


def by_hand(place):
    """A rank's node that joins late; one that never comes; Ctrl-C while it is waited for."""
    hand = 'launch = "none"'
    file = write(place, "late", 2, node='["", "a"]', a=hand)
    folder = place.run("late")
    with started("run", file) as run:
        join = join_address(run, folder)
        checks.check("late: waits", until(lambda: "learner waits for its ranks: learner-2" in run.said(), run), run.said())
        with started("node", "--name", "a", "--join", join, "--heartbeat", 0.2, "--timeout", 3) as node:
            checks.check("late: ends well", wait_for_end(run) == 0, run.said() + node.said())
            checks.check("late: the node ends with it", wait_for_end(node) == 0, node.said())
    check_end(place, "late", 2)
    with started("run", write(place, "never", 2, node='["", "a"]', a=hand, patience=1)) as run:
        checks.check("never: ends", wait_for_end(run) == 1, run.said())
        checks.check("never: says what is missing", run.said().count("error: ") == 1 and 'has not come for 1 s' in run.said()
                     and "rank 1 of 2 (learner-2" in run.said() and "slipstream node --name a" in run.said(), run.said())
    with started("run", write(place, "tired", 2, node='["", "a"]', a=hand)) as run:
        until(lambda: "waits for its ranks" in run.said(), run)
        run.send_signal(signal.SIGINT)
        checks.check("tired: Ctrl-C ends the wait", wait_for_end(run) == 130, run.said())


def certificates(place):
    """Between machines: TLS both ways for what the ranks add up, too; the node of another authority is not let in."""
    pki, strange = place.folder / "pki", place.folder / "strange"
    for folder in (pki, strange):
        made = runs.subprocess.run([program.path, "certs", "--to", str(folder), "run", "a", "b"], capture_output=True,
                                   text=True, env=runs.environment)
        checks.check("certs: are made", made.returncode == 0, made.stderr)

    def files(name, folder=pki):
        return 'certificate = "%s"\nkey = "%s"\n' % (folder / (name + ".pem"), folder / (name + ".key"))

    file = write(place, "secret", 3, node=placed[3], zero=1, a=files("a"), b=files("b"))
    file.write_text(file.read_text().replace("[nodes]\n", '[nodes]\nauthority = "%s"\n%s' % (pki / "ca.pem", files("run"))))
    with started("launch", file) as run:
        checks.check("secret: ends well", wait_for_end(run) == 0, run.said())
    check_end(place, "secret", 3)


def beside_samplers(place):
    """One node has a rank and a sampler; another sampler stays in the run's own process."""
    text = text_of(place.folder, "mixed", 2, node=placed[2])
    text = text.replace('kind = "sampler"\n', 'kind = "sampler"\nreplicas = 2\nnode = ["", "a"]\n').replace("slots = 8", "slots = 4")
    file = place.folder / "mixed.toml"
    file.write_text(text)
    with started("launch", file) as run:
        checks.check("mixed: ends well", wait_for_end(run) == 0, run.said())
    check_end(place, "mixed", 2)
    trace = (place.run("mixed") / "trace.json").read_text()
    checks.check("mixed: all worked", all('"%s"' % name in trace for name in ("learner-2", "sampler-1", "sampler-2")))


def refusals(place):
    """What cannot be is refused before anything starts, with file, line, key and mend."""
    for name, keys, said in (
            ("first", dict(ranks=2, node='["a", "b"]'), 'begin the list with ""'),
            ("alone", dict(ranks=1, node='["", "a"]'), "has 1 replicas for 2 nodes; set replicas = 2"),
            ("single", dict(ranks=1, node='[""]'), "write replicas = 2 or more"),
            ("many", dict(ranks=2, node='["", "a", "b"]'), "set replicas = 3"),
            ("unknown", dict(ranks=2, node='["", "c"]'), 'node = "c" is no node of the file'),
            ("narrow", dict(ranks=3, node='["", "a", "a"]', a="threads = 1"), "[nodes.a] threads = 1 are too few"),
    ):
        file = write(place, name, **keys)
        done = runs.subprocess.run([program.path, "check", str(file)], capture_output=True, text=True,
                                   env=runs.environment)
        first = done.stderr.splitlines()[0] if done.stderr else ""
        checks.check("refused: " + name, done.returncode == 2 and first.startswith(str(file) + ":") and said in first,
                     (done.returncode, done.stderr))


parts = [same_bits, names, kill_a_rank, stop_a_rank, hang_a_rank, lose_the_run, by_hand, certificates, beside_samplers,
         refusals]
if __name__ == "__main__":
    wanted = sys.argv[2:]
    for part in parts:
        if wanted and part.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            part(Place(pathlib.Path(folder)))
    checks.exit()

"""Runs whose samplers and scorers are processes of their own: the same bits as in one process, and what becomes of a
run when processes are killed, stopped, refused, started by hand, or sent junk.

usage: nodes.py PROGRAM [PART...]     the parts are the functions at the end of this file
"""
import contextlib
import ctypes
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import runs
from node_runs import (Place, alive, begun, check_run, checks, environment, free_port, join_address, lines_of, orphaned,
                       processes, program, spans_of, started, until, wait_for_end)

runs.updates = 400  # long enough to meet mishaps


def same_bits(place):
    """Samplers and references in processes of their own change nothing."""
    folder = place.run("three")
    with started("launch", place.write("three", 0, True, with_reference=True)) as run:
        checks.check("three: begins with both nodes", begun(run, folder, 5), run.said())
        pids = processes(folder)
        checks.check("three: each node is a process of its own",
                     pids.get("learner") == run.pid and pids.get("sampler-1") == pids.get("before-1") and
                     pids.get("sampler-2") == pids.get("before-2") and len(set(pids.values())) == 3, pids)
        checks.check("three: ends well", wait_for_end(run) == 0, run.said())
        checks.check("three: leaves no process", not any(alive(pid) for pid in pids.values()), pids)
    check_run(place, "three", with_reference=True)
    spans = (folder / "trace.json").read_text()
    checks.check("three: all replicas worked",
                 all('"%s-%d"' % (name, i) in spans for name in ("sampler", "before") for i in (1, 2)))


def kill_sampler(place, name, staleness):
    """Kills until somebody's prompts were given out again, or the run ends; returns how many were."""
    folder = place.run(name)
    with started("launch", place.write(name, staleness, True, a="restarts = 100", long=True)) as run:
        checks.check(name + ": begins", begun(run, folder), run.said())
        while "given out again" not in run.said() and run.poll() is None:
            victim = processes(folder)["sampler-1"]
            worked = spans_of(folder, "sampler-1")
            until(lambda: spans_of(folder, "sampler-1") > worked, run)
            time.sleep(random.uniform(0, 0.01))  # it is in the middle of an answer, most likely
            if run.poll() is not None:
                break
            os.kill(victim, signal.SIGKILL)
            checks.check(name + ": is started again",
                         until(lambda: processes(folder).get("sampler-1", victim) != victim, run)
                         or run.poll() is not None, run.said())
        checks.check(name + ": ends well", wait_for_end(run) == 0, run.said())
    check_run(place, name, staleness, long=True)
    return json.loads((folder / "summary.json").read_text())["ledger"]["reissued"]


def kill_a_node(place):
    """kill -9 of a sampler's process while it holds prompts: another makes them, it is started again and rejoins."""
    for name, staleness in (("killed", 0), ("killed-ahead", 2)):
        # now and then every kill of a run falls between two answers, when nobody holds a prompt
        again = any(kill_sampler(place, "%s-%d" % (name, attempt), staleness) > 0 for attempt in range(5))
        checks.check(name + ": prompts of the killed were given out again", again)


def stop_a_node(place):
    """SIGSTOP of a sampler's process: silence is noticed, the other one does the work."""
    folder = place.run("stopped")
    file = place.write("stopped", 0, True, b='launch = "none"', timeout=1, long=True)
    with started("launch", file) as run, \
            started("node", "--name", "b", "--join", join_address(run, folder), "--heartbeat", 0.2, "--timeout", 1) as node:
        checks.check("stopped: begins", begun(run, folder), run.said() + node.said())
        node.send_signal(signal.SIGSTOP)
        checks.check("stopped: is noticed", until(lambda: "sampler-2" not in processes(folder), run), run.said())
        at = lines_of(folder)
        checks.check("stopped: the run goes on", until(lambda: lines_of(folder) > at + 2, run), run.said())
        node.send_signal(signal.SIGCONT)
        checks.check("stopped: it comes back", until(lambda: "sampler-2" in processes(folder), run), node.said())
        checks.check("stopped: ends well", wait_for_end(run) == 0, run.said())
        checks.check("stopped: the node ends with the run", wait_for_end(node) == 0, node.said())
    check_run(place, "stopped", long=True)


def stop_a_child(place):
    """SIGSTOP of a process that launch has started: it is replaced."""
    folder = place.run("replaced")
    with started("launch", place.write("replaced", 0, True, timeout=1, long=True)) as run:
        checks.check("replaced: begins", begun(run, folder), run.said())
        victim = processes(folder)["sampler-2"]
        os.kill(victim, signal.SIGSTOP)
        checks.check("replaced: by another process", until(
            lambda: processes(folder).get("sampler-2", victim) != victim, run), run.said())
        checks.check("replaced: the stopped one is gone", not alive(victim), run.said())
        checks.check("replaced: ends well", wait_for_end(run) == 0, run.said())
    check_run(place, "replaced", long=True)


class Frozen:
    """Threads of a process that stand still: those that compute, while the others keep its link alive, or all."""
    seize, interrupt, any_thread = 0x4206, 0x4207, 0x40000000  # of ptrace(2) and waitpid(2)

    def __init__(self, pid, whole=False):
        tasks = pathlib.Path("/proc/%d/task" % pid)
        self.threads = [int(task.name) for task in tasks.iterdir()
                        if whole or (task / "comm").read_text().strip() == "caf.actor"]
        trace = ctypes.CDLL(None, use_errno=True).ptrace
        trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.done = bool(self.threads) and all(trace(self.seize, thread, None, None) == 0 and
                                               trace(self.interrupt, thread, None, None) == 0
                                               for thread in self.threads)

    def bury(self):
        """A dead process whose threads were traced is there until the tracer has seen each of them."""
        for thread in self.threads:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(thread, os.WNOHANG | self.any_thread)
        return True


def hang_a_node(place):
    """A process that computes nothing any more, with a link that it keeps or loses: the watchdog says who waits for
    whom, and has it started again."""
    for name, whole in (("hung", False), ("frozen", True)):
        folder = place.run(name)
        change = ("checkpoint_every", "stall_after = 3\ncheckpoint_every")
        file = place.write(name, 0, True, long=True, changes=[change], timeout=1 if whole else 10)
        file.write_text(file.read_text().replace('node = ["a", "b"]\nreplicas = 2', 'node = "b"'))  # alone with the work
        with started("launch", file) as run:
            checks.check(name + ": begins", begun(run, folder, 2), run.said())
            victim = processes(folder)["sampler"]
            frozen = Frozen(victim, whole)
            if not frozen.done:
                return print(name + ": left out, threads of other processes cannot be stopped here")
            checks.check(name + ": another process takes its place", until(
                lambda: frozen.bury() and processes(folder).get("sampler", victim) != victim, run), run.said())
            said = run.said()
            checks.check(name + ": is said", "nothing has moved for" in said and "learner waits" in said or
                         whole and "its link is lost" in said, said)
            checks.check(name + ": ends well", wait_for_end(run) == 0, run.said())
        check_run(place, name, long=True)


def lose_the_learner(place):
    """kill -9 of the run: its nodes end, and launch --resume loses and repeats nothing."""
    file = place.write("orphans", 0, True, long=True)
    orphaned(place.run("orphans"), file, processes_there=3)
    check_run(place, "orphans", long=True)


def interrupt(place):
    """Ctrl-C reaches the nodes: they put down what they have, and nobody is left; --resume goes on."""
    for name, staleness in (("stop", 0), ("stop-ahead", 2)):
        file = place.write(name, staleness, True, long=True)
        folder = place.run(name)
        with started("launch", file) as run:
            checks.check(name + ": begins", begun(run, folder), run.said())
            pids = processes(folder)
            run.send_signal(signal.SIGINT)
            checks.check(name + ": is interrupted", wait_for_end(run) == 130, run.said())
            checks.check(name + ": no process is left", not any(alive(pid) for pid in pids.values()), pids)
        books = json.loads(program.output("ledger", folder, "--json"))
        checks.check(name + ": the ledger closes in between", books["closes"] and not books["ended"], books)
        with started("launch", file, "--resume") as run:
            checks.check(name + ": goes on to the end", wait_for_end(run) == 0, run.said())
        check_run(place, name, staleness, long=True)


def chaos(place):
    """Mishaps that a topology asks for."""
    file = place.write("chaos", 1, True, timeout=1)
    file.write_text(file.read_text() + """[chaos]
events = [{ update = 50, kill = "sampler-1" }, { update = 80, stop = "sampler-2" }, { update = 110, kill = "sampler-1" },
          { update = 140, kill = "sampler-2" }]
delay_weights = 0.04
""")
    with started("launch", file) as run:
        checks.check("chaos: ends well", wait_for_end(run) == 0, run.said())
        checks.check("chaos: it was made", run.said().count("chaos: signal") == 4, run.said())
    check_run(place, "chaos", 1)


def by_hand(place):
    """Nodes that listen; a run that is killed and resumed finds them again; Ctrl-C lets one leave."""
    ports = [free_port(), free_port()]
    file = place.write("hand", 0, True, a='address = "127.0.0.1:%d"' % ports[0],
                       b='address = "127.0.0.1:%d"' % ports[1], timeout=2, long=True)
    folder = place.run("hand")
    with started("node", "--name", "a", "--listen", "127.0.0.1:%d" % ports[0]) as a, \
            started("node", "--name", "b", "--listen", "127.0.0.1:%d" % ports[1]) as b:
        with started("run", file) as run:
            checks.check("hand: begins", begun(run, folder), run.said() + a.said() + b.said())
        (folder / "processes.json").unlink()
        with started("run", file, "--resume") as run:
            at = lines_of(folder)
            checks.check("hand: goes on with the same nodes",
                         until(lambda: lines_of(folder) > at + 2 and len(processes(folder)) == 3, run),
                         run.said() + a.said() + b.said())
            b.send_signal(signal.SIGINT)
            checks.check("hand: a node leaves", wait_for_end(b) == 130, b.said())
            checks.check("hand: ends well with the other", wait_for_end(run) == 0, run.said())
            checks.check("hand: the other waits for the next run", a.poll() is None, a.said())
            a.send_signal(signal.SIGINT)
            checks.check("hand: and ends when it is told to", wait_for_end(a) == 130, a.said())
    check_run(place, "hand", long=True)


def messages(place):
    """What cannot be ends with one clear message."""
    file = place.write("nobody", 0, True, a='launch = "none"', b='launch = "none"', patience=1)
    with started("run", file) as run:
        checks.check("nobody: ends", wait_for_end(run) == 1, run.said())
        checks.check("nobody: says what is missing", 'has not come for 1 s' in run.said() and
                     "slipstream node --name" in run.said(), run.said())
    with started("node", "--name", "a", "--join", "127.0.0.1:%d" % free_port(), "--patience", 0.5) as node:
        checks.check("no run: ends", wait_for_end(node) == 1, node.said())
        checks.check("no run: says so, and why", 'node "a": no run at 127.0.0.1:' in node.said() and
                     "(Connection refused)" in node.said(), node.said())
    for words in (["--listen", "0.0.0.0:0"], ["--join", "192.0.2.1:99"], []):
        with started("node", "--name", "a", *words) as node:
            checks.check("plain text stays on this machine: %s" % words, wait_for_end(node) == 2, node.said())
    open_file = place.write("open", 0, True)
    open_file.write_text(open_file.read_text().replace("[nodes]\n", '[nodes]\nlisten = "0.0.0.0:0"\n'))
    code, message = program.run(open_file)
    checks.check("an open port needs certificates", code == 2 and "[nodes] listen" in message, message)
    spool_file = place.write("spool", 0, True)
    text = spool_file.read_text()
    for folder, why in (("/nowhere", "No such file"), ("/dev/shm", "lies in memory"), ("tmp", "whole path")):
        spool_file.write_text(text.replace("[nodes]\n", '[nodes]\nspool = "%s"\n' % folder))
        code, message = program.run(spool_file)
        checks.check("no spool in %s" % folder, code == 2 and "spool" in message and why in message, message)
    file = place.write("stranger", 0, True, b='launch = "none"', long=True)
    folder = place.run("stranger")
    with started("launch", file) as run:
        join = join_address(run, folder)
        with started("node", "--name", "z", "--join", join) as node:
            checks.check("stranger: is refused", wait_for_end(node) == 2, node.said())
            checks.check("stranger: and told why", "[nodes.z] is not in the topology" in node.said(), node.said())
        checks.check("stranger: the run ends well", wait_for_end(run) == 0, run.said())


def renewed(run, folder, pki):
    """Certificates that are unsound for a while, and then others: nobody ends, and who comes anew is let in."""
    def kill_one(what):
        victim = processes(folder)["sampler-1"]
        os.kill(victim, signal.SIGKILL)
        checks.check(what, until(lambda: processes(folder).get("sampler-1", victim) != victim, run), run.said())

    checks.check("renewed: begins", begun(run, folder), run.said())
    whole = (pki / "run.pem").read_bytes()
    (pki / "run.pem").write_bytes(whole[:100])
    kill_one("renewed: a node comes back while the run's certificate is half there")
    checks.check("renewed: which the run says", run.said().count("the certificates that were read before stay") == 1,
                 run.said())
    for name in ("run.pem", "run.key"):
        (pki / name).unlink()
    subprocess.run([program.path, "certs", "--to", pki, "run"], check=True, capture_output=True, env=environment)
    kill_one("renewed: a node comes back when the run has another one")


def certificates(place):
    """The same between hosts: TLS both ways. Junk and strangers are turned away, and the run does not notice."""
    made = subprocess.run([program.path, "certs", "--to", str(place.folder / "pki"), "run", "a", "b"],
                          capture_output=True, text=True, env=environment)
    checks.check("certs: are made", made.returncode == 0, made.stderr)
    pki = place.folder / "pki"

    def files(name):
        return 'certificate = "%s"\nkey = "%s"\n' % (pki / (name + ".pem"), pki / (name + ".key"))

    file = place.write("secret", 0, True, a=files("a"), b=files("b"), long=True)
    file.write_text(file.read_text().replace("[nodes]\n", '[nodes]\nauthority = "%s"\n%s' % (pki / "ca.pem", files("run"))))
    folder = place.run("secret")
    with started("launch", file) as run:
        join = join_address(run, folder)
        host, port = join.rsplit(":", 1)
        for junk in (b"\xff" * 32, b"GET / HTTP/1.1\r\n\r\n", b"", os.urandom(1 << 20)):
            with socket.create_connection((host, int(port))) as s, contextlib.suppress(OSError):
                s.sendall(junk)
        with started("node", "--name", "b", "--join", join, "--patience", 2) as node:
            checks.check("secret: plain text is not let in", wait_for_end(node) == 1, node.said())
        renewed(run, folder, pki)
        checks.check("secret: ends well", wait_for_end(run) == 0, run.said())
        lost = re.findall(r"\(process \d+\) is gone", run.said())
        checks.check("secret: and nobody else lost a link by it", len(lost) == 2, run.said())
    check_run(place, "secret", long=True)


parts = [same_bits, kill_a_node, stop_a_node, stop_a_child, hang_a_node, lose_the_learner, interrupt, chaos, by_hand, messages, certificates]
if __name__ == "__main__":
    wanted = sys.argv[2:]
    for part in parts:
        if wanted and part.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            part(Place(folder))
    checks.exit()

"""Runs whose nodes are started through ssh, by a server of the test's own on this machine (as this user, with
throw-away keys): a node or its ssh is killed, the run is interrupted or killed, machines do not let anybody in. No
process may be left over there.

usage: ssh.py PROGRAM [PART...]     exit code 77: there is no sshd, or it does not let this user in
"""
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import runs
from node_runs import (Place, alive, begun, check_run, checks, environment, processes, program, started, until,
                       wait_for_end)

SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_key(file):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return pathlib.Path(str(file) + ".pub").read_text()


class Server:
    """An sshd, and an `ssh` that comes first in PATH and knows it as the machine "far". "closed" refuses, "silent"
    accepts and says nothing. `problem` says why it is of no use; empty: it is."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.problem = "" if SSHD and shutil.which("ssh") else "there is no ssh or no sshd (Debian: openssh-server)"

    def __enter__(self):
        if self.problem:
            return self
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where it locks itself up; else made at boot
        port = free_port()
        host_key = make_key(self.folder / "host_key")
        (self.folder / "authorized").write_text(make_key(self.folder / "user_key"))
        (self.folder / "known").write_text("far " + host_key)
        (self.folder / "server").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nPermitRootLogin prohibit-password\n")
        self.silent = socket.create_server(("127.0.0.1", 0))
        (self.folder / "client").write_text(
            f"Host far\nPort {port}\nHost closed\nPort {free_port()}\nHost silent\nPort {self.silent.getsockname()[1]}\n"
            f"Host *\nHostName 127.0.0.1\nHostKeyAlias far\nUser {getpass.getuser()}\nIdentityFile {self.folder}/user_key\n"
            f"IdentitiesOnly yes\nUserKnownHostsFile {self.folder}/known\nGlobalKnownHostsFile none\n")
        client = self.folder / "bin" / "ssh"
        client.parent.mkdir()
        client.write_text('#!/bin/sh\nexec "%s" -F "%s" "$@"\n' % (shutil.which("ssh"), self.folder / "client"))
        client.chmod(0o755)
        environment["PATH"] = str(client.parent) + ":" + os.environ["PATH"]
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", self.folder / "server"], stderr=self.log)
        greeting = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectionAttempts=20", "far", "true"]
        came = subprocess.run(greeting, env=environment, capture_output=True, text=True)
        if came.returncode != 0:
            self.problem = "sshd does not let this user in: " + came.stderr + (self.folder / "log").read_text()
        return self

    def __exit__(self, *_):
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.silent.close()


def write(place, name, a="far", b="far", path="", patience=1000, **keys):
    """The small topology of node_runs.py, whose nodes are started through ssh and speak TLS. By themselves they would
    wait for a lost run for longer than this test."""
    pki = place.folder / "pki"
    if not pki.exists():
        subprocess.run([program.path, "certs", "--to", pki, "run", "a", "b"], check=True, capture_output=True,
                       env=environment)

    def files(owner):
        return 'certificate = "%s"\nkey = "%s"\n' % (pki / (owner + ".pem"), pki / (owner + ".key"))

    def node(owner, host):
        return 'launch = "ssh"\nhost = "%s"\nprogram = "%s"\n%s' % (host, path or pathlib.Path(program.path).resolve(),
                                                                  files(owner))

    file = place.write(name, 0, True, a=node("a", a), b=node("b", b), patience=patience, **keys)
    text = file.read_text().replace("[nodes]\n", '[nodes]\nauthority = "%s"\n%s' % (pki / "ca.pem", files("run")))
    file.write_text(text)
    return file


def clients(run, node=""):
    """The ssh processes of a run, or of one node."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == run.pid and b"ssh" in words[0] and (not node or b"'%s'" % node.encode() in words):
            found.append(int(entry.name))
    return found


def comes_anew(run, folder, victim, what):
    checks.check(what + ": another process takes its place", until(
        lambda: processes(folder).get("sampler-1", victim) != victim, run), run.said())
    checks.check(what + ": the old one is gone", until(lambda: not alive(victim), run), run.said())


def whole(place):
    """A run to its end, with the bits of one process."""
    runs.updates = 20
    with started("launch", write(place, "whole")) as run:
        checks.check("whole: ends well", wait_for_end(run) == 0, run.said())
    check_run(place, "whole")


def killed_and_interrupted(place):
    """A node is killed, then the ssh of one, then the run is interrupted."""
    runs.updates = 1000000
    folder = place.run("far")
    with started("launch", write(place, "far", long=True)) as run:
        checks.check("far: begins", begun(run, folder), run.said())
        first = processes(folder)
        checks.check("far: they are processes over there, not those of ssh",
                     not set(clients(run)) & set(first.values()) and len(clients(run)) == 2, first)
        os.kill(first["sampler-1"], signal.SIGKILL)
        comes_anew(run, folder, first["sampler-1"], "node killed")
        second = processes(folder)["sampler-1"]
        os.kill(clients(run, "a")[0], signal.SIGKILL)
        comes_anew(run, folder, second, "ssh killed")
        pids = processes(folder)
        run.send_signal(signal.SIGINT)
        checks.check("far: is interrupted", wait_for_end(run) == 130, run.said())
        checks.check("far: no process is left", until(lambda: not any(map(alive, pids.values()))), pids)
    books = json.loads(program.output("ledger", folder, "--json"))
    checks.check("far: the ledger closes", books["closes"] and not books["ended"], books)


def killed_run(place):
    """kill -9 of the run: the processes over there end."""
    runs.updates = 1000000
    folder = place.run("orphans")
    with started("launch", write(place, "orphans", long=True)) as run:
        checks.check("orphans: begins", begun(run, folder), run.said())
        pids = processes(folder)
        run.kill()
        run.wait()
        checks.check("orphans: no process is left", until(lambda: not any(map(alive, pids.values()))), pids)


def not_let_in(place):
    """Machines that refuse or do not answer, and a program that is not there: the run says why, and ends."""
    runs.updates = 20
    folder = place.run("closed")
    with started("launch", write(place, "closed", a="closed", b="silent", patience=2)) as run:
        checks.check("closed: ssh is waiting", until(lambda: clients(run, "b"), run), run.said())
        waits = clients(run, "b")
        checks.check("closed: ends", wait_for_end(run) == 1, run.said())
        checks.check("closed: says why", "Connection refused" in run.said() and 'error: sampler-' in run.said(), run.said())
        checks.check("closed: no ssh is left", not any(map(alive, waits)), waits)
    checks.check("closed: what ssh said is kept", "refused" in (folder / "nodes" / "a.log").read_text())
    with started("launch", write(place, "nothing", path="/nowhere/slipstream", patience=1)) as run:
        checks.check("nothing: ends", wait_for_end(run) == 1, run.said())
        checks.check("nothing: says why", "exit code 127 and is not started again" in run.said() and
                     "/nowhere/slipstream" in run.said(), run.said())


parts = [whole, killed_and_interrupted, killed_run, not_let_in]
if __name__ == "__main__":
    wanted = sys.argv[2:]
    with tempfile.TemporaryDirectory() as keys, Server(keys) as server:
        if server.problem:
            print("left out: " + server.problem)
            sys.exit(77)
        for part in parts:
            if wanted and part.__name__ not in wanted:
                continue
            with tempfile.TemporaryDirectory() as folder:
                part(Place(folder))
    checks.exit()

"""A run whose nodes are on other machines (network namespaces): they pass the weights on, so that the run sends them
once; the node at the head is killed and comes back.

usage: relays.py PROGRAM     exit code 77: there can be no network namespaces here
"""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import runs
from node_runs import (Place, check_run, checks, environment, lines_of, program, started, text_of, until, wait_for_end)

runs.updates = 120
NODES = ["a", "b", "c"]
HUB = "slr%drun" % os.getpid()
SPACES = {name: "slr%d%s" % (os.getpid(), name) for name in NODES}


def ip(command):
    if not shutil.which("ip"):
        return False
    return subprocess.run(["ip", *command.split()], capture_output=True).returncode == 0


@contextlib.contextmanager
def networks():
    """A namespace for each process, and a switch between them in the run's; whether there can be any."""
    try:
        good = ip(f"netns add {HUB}") and ip(f"-n {HUB} link add switch type bridge")
        good = good and ip(f"-n {HUB} link set switch up") and ip(f"-n {HUB} link set lo up")
        good = good and ip(f"-n {HUB} addr add 10.214.8.1/24 dev switch")
        for number, (name, space) in enumerate(SPACES.items(), 2):
            good = good and ip(f"netns add {space}") and ip(f"-n {space} link set lo up")
            good = good and ip(f"link add eth0 netns {space} type veth peer name to-{name} netns {HUB}")
            good = good and ip(f"-n {HUB} link set to-{name} master switch up")
            good = good and ip(f"-n {space} addr add 10.214.8.{number}/24 dev eth0")
            good = good and ip(f"-n {space} link set eth0 up")
        yield good
    finally:
        for space in (HUB, *SPACES.values()):
            ip(f"netns del {space}")


def write(place, pki):
    """The small topology of node_runs.py with three samplers on three nodes."""
    def files(name):
        return 'certificate = "%s"\nkey = "%s"\n' % (pki / (name + ".pem"), pki / (name + ".key"))

    text = text_of(place.folder, "spread", 0, True, long=True, **{name: 'launch = "none"' for name in "ab"})
    text = text.replace('node = ["a", "b"]\nreplicas = 2', 'node = ["a", "b", "c"]\nreplicas = 3')
    text = text.replace("[nodes]\n", '[nodes]\nlisten = "10.214.8.1:0"\nauthority = "%s"\n%s' % (pki / "ca.pem", files("run")))
    file = place.folder / "spread.toml"
    file.write_text(text + '[nodes.c]\nlaunch = "none"\n')
    return file


def spread(place):
    pki, folder = place.folder / "pki", place.run("spread")
    subprocess.run([program.path, "certs", "--to", pki, "run", *NODES], check=True, capture_output=True, env=environment)

    def node(name):
        return started("node", "--name", name, "--join", join, "--certificate", pki / (name + ".pem"), "--key",
                       pki / (name + ".key"), "--authority", pki / "ca.pem", within=["ip", "netns", "exec", SPACES[name]])

    with started("run", write(place, pki), within=["ip", "netns", "exec", HUB]) as run:
        checks.check("the run says where to join", until(lambda: "joins at" in run.said(), run), run.said())
        join = run.said().split("joins at ")[1].split()[0]
        with node("a") as head:
            until(lambda: '"a" is here' in run.said(), run)
            with node("b") as b, node("c") as c:
                checks.check("it begins", until(lambda: lines_of(folder) >= 20, run), run.said())
                head.send_signal(signal.SIGKILL)
                gone = lines_of(folder)
                checks.check("it goes on without the head", until(lambda: lines_of(folder) >= gone + 20, run), run.said())
                with node("a") as again:
                    checks.check("it ends well", wait_for_end(run) == 0, run.said())
                    checks.check("so do the nodes", [wait_for_end(one) for one in (again, b, c)] == [0, 0, 0],
                                 again.said() + b.said() + c.said())
    check_run(place, "spread", long=True)
    spans = (folder / "trace.json").read_text()
    checks.check("all replicas worked", all('"sampler-%d"' % i in spans for i in (1, 2, 3)))
    sent = float((folder / "log.txt").read_text().split("weights for nodes: ")[1].split()[0]) * 1e6
    size = (folder / "checkpoints" / "last" / "model.safetensors").stat().st_size
    times = sent / size / (runs.updates + 1)
    print("the run sent each version %.2f times" % times, flush=True)
    checks.check("the run sent each version about once, to one of three nodes", 0 < times < 1.4, times)


with networks() as possible:
    if not possible:
        print("no network namespaces can be made here")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        spread(Place(folder))
checks.exit()

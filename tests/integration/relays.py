#!/usr/bin/env python3
"""A run whose nodes are on other machines (network namespaces): they pass the weights on, so that the run sends them
once; the node at the head is killed and comes back.

usage: relays.py PROGRAM     exit code 77: there can be no network namespaces here
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import runs
from runs import Checks, Program, environment, lines_of, topology, weights, write_prompts

runs.updates = 120
checks = Checks()
program = Program(sys.argv[1])
limit = 200  # seconds until the test gives a program up
NODES = ["a", "b", "c"]
SPACES = {name: f"slr{os.getpid()}{name}" for name in ["run", *NODES]}


def ip(command):
    return subprocess.run(["ip", *command.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def networks():
    """A namespace for each process, and a switch (a bridge in the run's); whether there can be any."""
    good = all(ip(f"netns add {space}") for space in SPACES.values())
    hub = SPACES["run"]
    good = good and ip(f"-n {hub} link add switch type bridge") and ip(f"-n {hub} link set switch up")
    good = good and ip(f"-n {hub} addr add 10.214.8.1/24 dev switch") and ip(f"-n {hub} link set lo up")
    for number, name in enumerate(NODES, 2):
        space = SPACES[name]
        good = good and ip(f"link add eth0 netns {space} type veth peer name to-{name} netns {hub}")
        good = good and ip(f"-n {hub} link set to-{name} master switch up") and ip(f"-n {space} link set lo up")
        good = good and ip(f"-n {space} addr add 10.214.8.{number}/24 dev eth0") and ip(f"-n {space} link set eth0 up")
    return good


def start(space, *words, log):
    return subprocess.Popen(["ip", "netns", "exec", SPACES[space], program.path, *map(str, words)],
                            stdout=subprocess.DEVNULL, stderr=log, env=environment)


def until(condition, process):
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.02)
    return condition()


def text_of(place, name, pki):
    text = topology(place, name, "max_staleness = 0\n")
    text = text.replace(f'name = "{name}"\n', f'name = "{name}"\nnumerics = "exact"\n')
    text = text.replace("max_positions = 24", "max_positions = 120").replace(
        "max_new_tokens = 5", "max_new_tokens = 100\nmin_new_tokens = 80")
    if pki is None:
        return text
    text = text.replace('kind = "sampler"\n', 'kind = "sampler"\nnode = ["a", "b", "c"]\nreplicas = 3\n')
    text += (f'[nodes]\nlisten = "10.214.8.1:0"\nheartbeat = 0.2\ntimeout = 3\ncertificate = "{pki}/run.pem"\n'
             f'key = "{pki}/run.key"\nauthority = "{pki}/ca.pem"\n')
    return text + "".join(f'[nodes.{name}]\nlaunch = "none"\n' for name in NODES)


def relayed(place):
    pki = place / "pki"
    made = subprocess.run([program.path, "certs", "--to", pki, "run", *NODES], capture_output=True, text=True)
    checks.check("certificates are made", made.returncode == 0, made.stderr)
    write_prompts(place)
    plain, spread = place / "one.toml", place / "spread.toml"
    plain.write_text(text_of(place, "one", None))
    spread.write_text(text_of(place, "spread", pki))
    code, message = program.run(plain)
    checks.check("the run in one process ends well", code == 0, message)
    folder = place / "runs" / "spread"
    with open(place / "said", "w") as log:
        run = start("run", "run", spread, log=log)
        checks.check("the run says where to join", until(lambda: "joins at" in said(place), run), said(place))
        join = said(place).split("joins at ")[1].split()[0]

        def node(name):
            return start(name, "node", "--name", name, "--join", join, "--certificate", pki / f"{name}.pem", "--key",
                         pki / f"{name}.key", "--authority", pki / "ca.pem", log=log)

        first = node("a")
        until(lambda: '"a" is here' in said(place), run)
        others = [node("b"), node("c")]
        checks.check("it begins", until(lambda: lines_of(folder) >= 20, run), said(place))
        first.send_signal(signal.SIGKILL)
        gone = lines_of(folder)
        checks.check("it goes on without the first node", until(lambda: lines_of(folder) >= gone + 20, run), said(place))
        others.append(node("a"))
        try:
            code = run.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        checks.check("it ends well", code == 0, said(place))
        checks.check("so do the nodes", [other.wait(20) for other in others] == [0, 0, 0], said(place))
    runs.check_books(checks, program, folder, "spread", 0)
    checks.check("the bits of one process", weights(folder) == weights(place / "runs" / "one"))
    spans = (folder / "trace.json").read_text()
    checks.check("all replicas worked", all(f'"sampler-{i}"' in spans for i in (1, 2, 3)))
    sent = float((folder / "log.txt").read_text().split("weights for nodes: ")[1].split()[0]) * 1e6
    size = (folder / "checkpoints" / "last" / "model.safetensors").stat().st_size
    times = sent / size / (runs.updates + 1)
    print(f"the run sent each version {times:.2f} times", flush=True)
    checks.check("the run sent each version about once, to one of three nodes", 0 < times < 1.4, times)


def said(place):
    return (place / "said").read_text()


def main():
    try:
        if os.geteuid() != 0 or not networks():
            print("no network namespaces can be made here")
            sys.exit(77)
        with tempfile.TemporaryDirectory() as folder:
            relayed(pathlib.Path(folder))
        checks.exit()
    finally:
        for space in SPACES.values():
            pids = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True).stdout.split()
            for pid in pids:
                os.kill(int(pid), signal.SIGKILL)
            ip(f"netns del {space}")


main()

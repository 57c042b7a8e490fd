#!/usr/bin/env python3
"""Weights over TLS between two network namespaces whose link, or whose server, fails in the middle of a transfer.

usage: weight_links.py BENCH_NODES PROGRAM     exit code 77: there can be no network namespaces here
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BENCH, PROGRAM = sys.argv[1:3]
NAMES = [f"slw{os.getpid()}{letter}" for letter in "ab"]
SERVER = "10.214.9.1:7000"
MEGABYTES = 16  # as many chunks


def run(command):
    if not shutil.which(command.split()[0]):
        return False
    return subprocess.run(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def networks():
    """Two namespaces and a link of 50 Mbit/s between them; whether there can be any."""
    good = run(f"ip netns add {NAMES[0]}") and run(f"ip netns add {NAMES[1]}")
    good = good and run(f"ip link add eth0 netns {NAMES[0]} type veth peer name eth0 netns {NAMES[1]}")
    for number, name in enumerate(NAMES, 1):
        good = good and run(f"ip -n {name} addr add 10.214.9.{number}/24 dev eth0")
        good = good and run(f"ip -n {name} link set eth0 up") and run(f"ip -n {name} link set lo up")
        good = good and run(f"tc -n {name} qdisc add dev eth0 root tbf rate 50mbit burst 256kb latency 50ms")
    return good


class Process:
    """The benchmark's program as a server (role serve, node 0) or a receiver (role receive, node 1)."""

    def __init__(self, role, certificates):
        number = 0 if role == "serve" else 1
        command = ["ip", "netns", "exec", NAMES[number], BENCH, "--role", role, "--place", SERVER, "--megabytes",
                   str(MEGABYTES), "--files", certificates, "--name", f"node{number}"]
        self.got = False  # a version has arrived
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.line()

    def say(self, line):
        self.process.stdin.write(line + "\n")

    def line(self):
        return self.process.stdout.readline().strip()

    def figures(self):
        self.say("figures")
        line = self.line()
        if line == "got":
            self.got, line = True, self.line()
        return json.loads(line)

    def signal(self, number):
        self.process.send_signal(number)  # `ip netns exec` becomes the program

    def end(self):
        self.process.kill()
        self.process.wait()


def begun(certificates):
    server, receiver = Process("serve", certificates), Process("receive", certificates)
    server.say("publish")
    end = time.monotonic() + 60
    while not 2 <= receiver.figures()["chunks_received"] < MEGABYTES:
        assert time.monotonic() < end, "no transfer begins"
        time.sleep(0.02)
    return server, receiver


def finished(what, server, receiver):
    assert receiver.got or receiver.line() == "got", what
    figures = receiver.figures()
    print(f"{what}: {figures['connections']} connections, {figures['chunks_received']} chunks received, "
          f"{figures['chunks_resumed']} kept", flush=True)
    server.end()
    receiver.end()
    return figures


def cut(seconds, certificates):
    server, receiver = begun(certificates)
    assert run(f"ip -n {NAMES[1]} link set eth0 down")
    time.sleep(seconds)
    assert run(f"ip -n {NAMES[1]} link set eth0 up")
    return finished(f"cable cut for {seconds} s", server, receiver)


def stopped(seconds, certificates):
    server, receiver = begun(certificates)
    server.signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.signal(signal.SIGCONT)
    return finished(f"server stopped for {seconds} s", server, receiver)


def killed(certificates):
    server, receiver = begun(certificates)
    server.end()  # kill -9
    server = Process("serve", certificates)
    server.say("publish")
    return finished("server killed and started again", server, receiver)


def main():
    if not networks():
        print("no network namespaces here (root, ip and tc are needed)")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PROGRAM, "certs", "node0", "node1", "--to", folder + "/certs"], check=True)
        certificates = folder + "/certs"
        short = cut(2, certificates)
        assert short["chunks_received"] == MEGABYTES
        # Longer than the silence (10 s) that a connection is believed for: it goes on where it was, on another one.
        for figures in (cut(14, certificates), stopped(14, certificates)):
            assert figures["connections"] >= 2 and figures["chunks_resumed"] >= 2, figures
            assert figures["chunks_received"] == MEGABYTES, figures
        # Another server's weights begin anew, and only a whole version is shown.
        anew = killed(certificates)
        assert anew["connections"] == 2 and anew["chunks_received"] > MEGABYTES, anew
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        for name in NAMES:
            run(f"ip netns del {name}")

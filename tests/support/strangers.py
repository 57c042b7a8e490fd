"""Strangers at the ports of a run: connections that say nothing, junk, half of a TLS greeting, a whole one and then
nothing, or show the certificate of another authority. They come from several loopback addresses, and who is turned away
comes back, at a given pace.

usage: strangers.py CERTIFICATE KEY HANDSHAKES_A_SECOND PORT=COUNT...     until it is killed; then one line of figures
"""
import collections
import errno
import itertools
import json
import os
import random
import selectors
import signal
import socket
import ssl
import sys
import time

ADDRESSES = ["127.0.0.%d" % i for i in range(1, 9)]  # the first is one that nodes come from, too
AGAIN = 200  # connections a second that are made anew, in all
HALF = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(120)
JUNK = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 32, os.urandom(4096), HALF[:3], b"\x16\x03\x01\xff\xff" + bytes(100)]
KINDS = ["idle"] * 4 + ["junk"] * 2 + ["half"] * 3 + ["handshake"]


class Bucket:
    """So many a second."""

    def __init__(self, rate):
        self.rate, self.left, self.filled = rate, rate, time.monotonic()

    def take(self):
        now = time.monotonic()
        self.left = min(self.rate, self.left + self.rate * (now - self.filled))
        self.filled = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Stranger:
    def __init__(self, kind, port, address):
        self.kind, self.port, self.address = kind, port, address
        self.socket = self.tls = None
        self.stalls = False


class Crowd:
    def __init__(self, certificate, key, handshakes, ports):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.load_cert_chain(certificate, key)
        self.again, self.handshakes = Bucket(AGAIN), Bucket(handshakes)
        self.selector = selectors.DefaultSelector()
        self.figures = collections.Counter()
        self.waiting = {True: collections.deque(), False: collections.deque()}  # who comes to shake hands, and the others
        addresses = itertools.cycle(ADDRESSES)
        for port, count in ports:
            for number in range(count):
                self.wait(Stranger(KINDS[number % len(KINDS)], port, next(addresses)))
        self.most = self.absent()

    def wait(self, one):
        self.waiting[one.kind == "handshake"].append(one)

    def absent(self):
        return sum(map(len, self.waiting.values()))

    def connect(self, one):
        one.socket = socket.socket()
        one.socket.setblocking(False)
        try:
            one.socket.bind((one.address, 0))
            one.socket.connect(("127.0.0.1", one.port))
        except OSError as problem:
            if problem.errno != errno.EINPROGRESS:
                self.figures["failed"] += 1
                return self.leave(one)
        self.figures["connections"] += 1
        self.selector.register(one.socket, selectors.EVENT_WRITE, one)

    def leave(self, one):
        try:
            self.selector.unregister(one.socket)
        except (KeyError, ValueError):
            pass
        one.socket.close()
        one.socket = one.tls = None
        self.figures["turned away"] += 1
        self.wait(one)

    def connected(self, one):
        self.selector.modify(one.socket, selectors.EVENT_READ, one)
        if one.kind == "junk":
            one.socket.send(random.choice(JUNK))
        elif one.kind == "half":
            one.socket.send(HALF[:random.randrange(5, len(HALF))])
        elif one.kind == "handshake":
            self.figures["handshakes"] += 1
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            one.tls = (self.context.wrap_bio(incoming, outgoing), incoming, outgoing)
            one.stalls = random.random() < 0.5
            self.shake_hands(one)

    def shake_hands(self, one):
        tls, _, outgoing = one.tls
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        if outgoing.pending:
            one.socket.send(outgoing.read())

    def event(self, one, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                return self.connected(one)
            bytes_in = one.socket.recv(65536)
            if not bytes_in:
                return self.leave(one)
            if one.tls and not one.stalls:
                one.tls[1].write(bytes_in)
                self.shake_hands(one)
        except (OSError, ssl.SSLError):
            self.leave(one)

    def run(self):
        first = len(self.waiting[False])
        while True:
            while self.waiting[True] and self.handshakes.take():
                self.connect(self.waiting[True].popleft())
            while self.waiting[False] and (first > 0 or self.again.take()):
                first -= 1
                self.connect(self.waiting[False].popleft())
            for key, mask in self.selector.select(0.02):
                self.event(key.data, mask)
            here = self.most - self.absent()
            self.figures["most at once"] = max(self.figures["most at once"], here)


def main(certificate, key, handshakes, *ports):
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # strangers are elsewhere; they take nobody's core
    crowd = Crowd(certificate, key, float(handshakes), [tuple(map(int, port.split("="))) for port in ports])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        crowd.run()
    finally:
        print(json.dumps(crowd.figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A link between two network namespaces that delays, loses and throttles packets, or is cut: a forwarder between two
TUN devices, for kernels without netem. Needs root. As a program it is the forwarder; the class starts and steers it.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

BACKLOG, LEAST = 0.2, 10_000  # seconds, but at least bytes, that wait for a slow link; what comes on top is lost


def open_tun(namespace, name):
    """A TUN device in a namespace; packets are read from and written to the descriptor."""
    place = os.open("/run/netns/" + namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(place, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns " + namespace)
    os.close(place)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", name.encode(), 0x1001))  # TUNSETIFF: TUN, no header
    return device


class Direction:
    """What happens to the packets that go one way."""

    def __init__(self, out, seed):
        self.out, self.random = out, random.Random(seed)
        self.delay, self.loss, self.rate, self.cut = 0.0, 0.0, 0.0, False
        self.free_at = 0.0  # when the link has sent what waits for it
        self.waiting, self.number = [], 0
        self.packets = self.lost = 0
        self.streams = {}  # by TCP port of the sender: first and highest byte of its newest connection

    def note(self, packet):
        """How far a TCP stream has come, whatever was sent twice."""
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
            return
        at = (packet[0] & 15) * 4
        port, sequence = struct.unpack_from("!HxxI", packet, at)
        size = struct.unpack_from("!H", packet, 2)[0] - at - (packet[at + 12] >> 4) * 4
        if packet[at + 13] & 2:  # SYN
            self.streams[port] = [sequence, 0]
        elif port in self.streams:
            seen = (sequence + size - self.streams[port][0]) & 0xFFFFFFFF
            if seen < 1 << 31:
                self.streams[port][1] = max(self.streams[port][1], seen)

    def take(self, packet, now):
        self.packets += 1
        start = max(self.free_at, now)
        full = self.rate > 0 and (start - now) * self.rate > max(BACKLOG * self.rate, LEAST)
        if self.cut or full or self.random.random() < self.loss:
            self.lost += 1
            return
        self.note(packet)
        if self.rate > 0:
            self.free_at = start = start + len(packet) / self.rate
        self.number += 1
        heapq.heappush(self.waiting, (start + self.delay, self.number, packet))

    def send(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            packet = heapq.heappop(self.waiting)[2]
            try:
                if not self.cut:
                    os.write(self.out, packet)
            except OSError:
                self.lost += 1  # the device over there is down

    def figures(self):
        return {"packets": self.packets, "lost": self.lost,
                "streams": {port: seen for port, (_, seen) in self.streams.items()}}


def forward(first, second):
    """Forwards until standard input ends. A line of it is a JSON object of settings for "there", "back" or both (keys
    delay in seconds, loss from 0 to 1, rate in bytes/s, cut); each is answered with the figures of both directions."""
    devices = [open_tun(first, "bad0"), open_tun(second, "bad0")]
    ways = {"there": Direction(devices[1], 1), "back": Direction(devices[0], 2)}
    from_device = {devices[0]: ways["there"], devices[1]: ways["back"]}
    print("ready", flush=True)
    while True:
        dues = [way.waiting[0][0] for way in ways.values() if way.waiting]
        pause = max(0.0, min(dues) - time.monotonic()) if dues else None
        for ready in select.select([*devices, 0], [], [], pause)[0]:
            if ready == 0:
                line = sys.stdin.readline()
                if not line:
                    return
                for name, settings in json.loads(line).items():
                    vars(ways[name]).update(settings)
                print(json.dumps({name: way.figures() for name, way in ways.items()}), flush=True)
            else:
                try:
                    from_device[ready].take(os.read(ready, 65536), time.monotonic())
                except OSError:
                    time.sleep(0.001)  # the device is down
        for way in ways.values():
            way.send(time.monotonic())


class BadLink:
    """A link between two namespaces, with the addresses NETWORK.1 and NETWORK.2."""

    def __init__(self, first, second, network):
        self.forwarder = subprocess.Popen([sys.executable, __file__, first, second], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True, bufsize=1)
        if self.forwarder.stdout.readline() != "ready\n":
            raise OSError("no TUN devices here")
        for number, name in enumerate((first, second), 1):
            for command in ("addr add %s.%d/24 dev bad0" % (network, number), "link set bad0 up"):
                subprocess.run(["ip", "-n", name, *command.split()], check=True)

    def set(self, there=None, back=None, **both):
        """Settings of one direction, or of both; answers with figures."""
        settings = {"there": {**both, **(there or {})}, "back": {**both, **(back or {})}}
        self.forwarder.stdin.write(json.dumps(settings) + "\n")
        return json.loads(self.forwarder.stdout.readline())

    def seen(self, port):
        """Bytes that the newest connection with this port at the first namespace has sent."""
        return self.set()["there"]["streams"].get(str(port), 0)

    def end(self):
        self.forwarder.stdin.close()
        self.forwarder.wait()


if __name__ == "__main__":
    forward(*sys.argv[1:3])

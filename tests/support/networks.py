"""Network namespaces for tests, with a bad link between them (bad_link.py). Needs root."""
import os
import shutil
import subprocess

from bad_link import BadLink

NETWORK = "10.215.9"


def run(command):
    if not shutil.which(command.split()[0]):
        return False
    return subprocess.run(command.split(), capture_output=True).returncode == 0


class Networks:
    """Two namespaces, here (NETWORK.1) and there (NETWORK.2), and the link between them. `possible` says whether
    they can be had; they go with the block."""

    def __init__(self):
        self.here, self.there = ("slh%d%s" % (os.getpid(), letter) for letter in "ht")

    def __enter__(self):
        self.link = None
        self.possible = all(run("ip netns add " + name) and run("ip -n %s link set lo up" % name)
                            for name in (self.here, self.there))
        try:
            self.link = BadLink(self.here, self.there, NETWORK) if self.possible else None
        except (OSError, subprocess.CalledProcessError):
            self.possible = False
        return self

    def __exit__(self, *_):
        if self.link:
            self.link.end()
        for name in (self.here, self.there):
            run("ip netns del " + name)

    def inside(self, name):
        """Words before a command that put it into a namespace; the process becomes the command."""
        return ["ip", "netns", "exec", name]

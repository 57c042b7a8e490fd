"""A run over certificates whose ports are flooded by strangers (tests/support/strangers.py): it goes on, its memory stays
flat, no node loses its link, and nodes join meanwhile, also from an address that strangers come from.

usage: flood.py PROGRAM [--seconds N]     N: of the flood, 20 unless given; it prints the pace beside that of a quiet run
"""
import contextlib
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

seconds = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 20.0
import runs
from node_runs import Place, checks, environment, free_port, lines_of, processes, program, started, text_of, until, wait_for_end

runs.updates = 1_000_000  # it is interrupted
STRANGERS = pathlib.Path(__file__).resolve().parent.parent / "support" / "strangers.py"
CROWD, AT_WEIGHTS, HANDSHAKES = 1060, 200, 50


def make_certificates(folder, *names):
    subprocess.run([program.path, "certs", "--to", folder, *names], check=True, capture_output=True, env=environment)
    return folder


def files(pki, name):
    return ["--certificate", pki / (name + ".pem"), "--key", pki / (name + ".key"), "--authority", pki / "ca.pem"]


def knows_its_name():
    """Nodes are told the machine's name where a run listens at any address."""
    try:
        return bool(socket.getaddrinfo(socket.gethostname(), None))
    except OSError:
        return False


def write(place, pki, join, weights):
    """Two samplers; node a is a child of the run's, node b comes and goes."""
    def lines(name):
        words = files(pki, name)
        return 'certificate = "%s"\nkey = "%s"\n' % (words[1], words[3])

    text = text_of(place.folder, "flood", 1, True, a=lines("a") + "restarts = 100\n", b='launch = "none"', patience=60)
    text = text.replace("checkpoint_every = 9", "checkpoint_every = 1000000")
    text = text.replace("[nodes]\n", '[nodes]\nlisten = "0.0.0.0:%d"\nweights = "0.0.0.0:%d"\nauthority = "%s"\n%s' % (
        join, weights, pki / "ca.pem", lines("run")))
    file = place.folder / "flood.toml"
    file.write_text(text)
    return file


def resident(pid):
    """Megabytes."""
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path("/proc/%d/status" % pid).read_text()).group(1)) / 1024


def cpu(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Watch:
    """The pace of a run and what it costs, until the block ends."""

    def __init__(self, run, folder):
        self.run, self.folder = run, folder

    def __enter__(self):
        self.began, self.at, self.spent = time.monotonic(), lines_of(self.folder), cpu(self.run.pid)
        self.memory, self.done = [resident(self.run.pid)], threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.done.wait(1):
            self.memory.append(resident(self.run.pid))

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        took = time.monotonic() - self.began
        self.updates = lines_of(self.folder) - self.at
        self.pace, self.cores = self.updates / took, (cpu(self.run.pid) - self.spent) / took
        self.memory.append(resident(self.run.pid))


@contextlib.contextmanager
def flood(certificates, ports):
    words = [sys.executable, STRANGERS, certificates / "a.pem", certificates / "a.key", str(HANDSHAKES)]
    crowd = subprocess.Popen([*words, *("%d=%d" % port for port in ports)], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(2)  # they come
        yield
    finally:
        crowd.send_signal(signal.SIGTERM)
        print("strangers: " + crowd.communicate(timeout=60)[0].strip(), flush=True)


def joins(run, folder, pki, host, port):
    """Node b comes from the address `host`, works and is killed; how long it took to be in."""
    began = time.monotonic()
    with started("node", "--name", "b", "--join", "%s:%d" % (host, port), *files(pki, "b"), "--heartbeat", 0.2,
                 "--timeout", 3) as node:
        here = until(lambda: "sampler-2" in processes(folder), run)
        took = time.monotonic() - began
        checks.check("a node joins from %s" % host, here, run.said() + node.said())
    checks.check("it is missed", until(lambda: "sampler-2" not in processes(folder), run), run.said())
    return took


def flooded(place):
    pki, others = make_certificates(place.folder / "pki", "run", "a", "b"), make_certificates(place.folder / "others", "a")
    join, weights = free_port(), free_port()
    folder = place.run("flood")
    with started("launch", write(place, pki, join, weights)) as run:
        checks.check("it begins", until(lambda: lines_of(folder) >= 200, run) and run.poll() is None, run.said())
        quiet, loud, took = [], [], []
        rounds = max(1, round(seconds / 60))
        with_them = seconds / rounds
        for number in range(rounds):
            with Watch(run, folder) as watch:
                time.sleep(with_them / 4)
            quiet.append(watch)
            with flood(others, [(join, CROWD), (weights, AT_WEIGHTS)]):
                with Watch(run, folder) as watch:
                    time.sleep(with_them / 2)
                loud.append(watch)
                for host in ("127.0.0.1", "127.0.0.77"):  # of strangers, and of nobody else
                    took.append(joins(run, folder, pki, host, join))
                victim = processes(folder)["sampler-1"]
                subprocess.run(["kill", "-KILL", str(victim)], check=True)
                checks.check("a node that is killed comes back", until(
                    lambda: processes(folder).get("sampler-1", victim) != victim, run), run.said())
                at = lines_of(folder)
                checks.check("and the run goes on", until(lambda: lines_of(folder) >= at + 20, run), run.said())
            with Watch(run, folder) as watch:
                time.sleep(with_them / 4)
            quiet.append(watch)
        said = run.said()
        run.send_signal(signal.SIGINT)
        checks.check("it ends when it is told to", wait_for_end(run) == 130, run.said())
    lost = len(re.findall(r"\(process \d+\) is gone", said))
    checks.check("no node lost its link but those that were killed", lost == 3 * rounds, said)
    checks.check("the run goes on under the flood", all(watch.updates > 0 for watch in loud))
    grown = max(max(watch.memory) - watch.memory[0] for watch in loud)
    checks.check("its memory stays flat", grown < 32, [watch.memory for watch in loud])
    before, under = sum(w.pace for w in quiet) / len(quiet), sum(w.pace for w in loud) / len(loud)
    print("updates a second: quiet %s, flooded %s: %.1f %%" % (
        ["%.1f" % w.pace for w in quiet], ["%.1f" % w.pace for w in loud], 100 * under / before))
    print("cores of the run: quiet %s, flooded %s" % (["%.2f" % w.cores for w in quiet], ["%.2f" % w.cores for w in loud]))
    print("memory of the run grew by MB: quiet %s, flooded %s" % (
        *(["%.1f" % (watch.memory[-1] - watch.memory[0]) for watch in part] for part in (quiet, loud)),))
    print("a node was in after %s s" % ", ".join("%.1f" % t for t in took))


if __name__ == "__main__":
    if not knows_its_name():
        print("Skipped: this machine's name has no address")
        sys.exit(77)
    enough = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, enough[1]), enough[1]))
    with tempfile.TemporaryDirectory() as folder:
        flooded(Place(folder))
    checks.exit()

"""Whole runs over certificates between two network namespaces, and what becomes of them when the link, a disk, a clock
or a process fails: the ledger closes, the bound is kept, the run is finished or ends with one message and is resumed.

usage: hostile.py PROGRAM [--all | NAME...]     the names are at the end of this file; without any: all_at_once
exit code 77: there can be no network namespaces, TUN devices or mounts here
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import runs
from disks import fill, own_mounts, small_disk
from networks import NETWORK, Networks
from node_runs import Place, check_run, checks, environment, lines_of, processes, program, \
    started, until, wait_for_end
from wall_clock import WallClock

TIMEOUT, PATIENCE = 2, 20  # seconds of silence until a node is given up, and of absence until a run is
JOIN, WEIGHTS = 7000, 7001
HEAVY = (("hidden_size = 16", "hidden_size = 128"), ("intermediate_size = 24", "intermediate_size = 256"))
HEAVIER = (("hidden_size = 16", "hidden_size = 256"), ("intermediate_size = 24", "intermediate_size = 512"))


class Cluster:
    """A topology whose samplers are on node a, a child of the run's, and on node b, in the other namespace. `pace`:
    seconds that weights are held back, so that a run meets its mishap on a fast machine, too."""

    def __init__(self, place, name, staleness=0, patience=PATIENCE, only_b=False, updates=40, pace=0.25,
                 **keys):
        runs.updates = updates
        self.place, self.name, self.staleness, self.patience = place, name, staleness, patience
        self.keys, self.count = {"long": True, **keys}, 2 if only_b else 3
        self.folder = place.run(name)
        pki = place.folder / "pki"
        if not pki.exists():
            yesterday = WallClock(place.folder, "certs")  # valid whatever the clocks of these tests show
            yesterday.jump(-24)
            subprocess.run([program.path, "certs", "--to", pki, "run", "a", "b"], check=True,
                           env={**environment, **yesterday.environment}, stderr=subprocess.DEVNULL)
        self.security = {name: ["--certificate", pki / (name + ".pem"), "--key", pki / (name + ".key"),
                                "--authority", pki / "ca.pem"] for name in ("run", "a", "b")}
        files = {name: 'certificate = "%s"\nkey = "%s"\n' % (words[1], words[3])
                 for name, words in self.security.items()}
        self.file = place.write(name, staleness, True, a="restarts = 9\n" + files["a"],
                                b='launch = "none"\n' + files["b"], timeout=TIMEOUT, patience=patience, **self.keys)
        text = self.file.read_text().replace("[nodes]\n", '[nodes]\nlisten = "%s.1:%d"\nweights = "%s.1:%d"\n'
                                             'authority = "%s"\n%s' % (NETWORK, JOIN, NETWORK, WEIGHTS, pki / "ca.pem",
                                                                       files["run"]))
        if only_b:
            text = text.replace('node = ["a", "b"]\nreplicas = 2', 'node = "b"')
        self.file.write_text(text + "[chaos]\ndelay_weights = %g\n" % pace)

    def launch(self, *words, **keys):
        return started("launch", self.file, *words, within=networks.inside(networks.here), **keys)

    def node(self, **keys):
        return started("node", "--name", "b", "--join", "%s.1:%d" % (NETWORK, JOIN), *self.security["b"], "--heartbeat",
                       0.2, "--timeout", TIMEOUT, "--patience", self.patience, within=networks.inside(networks.there),
                       **keys)

    @contextlib.contextmanager
    def begun(self, run={}, node={}):
        """The run and node b, at work; the keys are for started()."""
        with self.launch(**run) as run, self.node(**node) as b:
            at_work = until(lambda: len(processes(self.folder)) == self.count and lines_of(self.folder) >= 3, run)
            self.check("begins", at_work and run.poll() is None, run.said() + b.said())
            yield run, b

    def there(self, run):
        return until(lambda: "sampler-2" in processes(self.folder), run)

    def gone(self, run):
        return until(lambda: "sampler-2" not in processes(self.folder), run)

    def goes_on(self, run, updates=2):
        at = lines_of(self.folder)
        return until(lambda: lines_of(self.folder) >= at + updates, run) or lines_of(self.folder) == runs.updates

    def check(self, what, good, say=""):
        checks.check(self.name + ": " + what, good, say)

    def finished(self, run, b=None):
        """The run ends well, node b with it, and its books are in order."""
        self.check("ends well", wait_for_end(run) == 0 and "error" not in run.said(), run.said())
        if b:
            self.check("the node ends with the run", wait_for_end(b) == 0, b.said())
        self.check_books()

    def check_books(self):
        check_run(self.place, self.name, self.staleness, **self.keys)
        metrics = (self.folder / "metrics.jsonl").read_text().splitlines()
        oldest = [json.loads(line)["staleness_max"] for line in metrics]
        self.check("no update has older tokens than it may", max(oldest) <= self.staleness, oldest)

    def stopped(self, run, *words):
        """The run ends with one message that has these words in it, and its books close."""
        self.check("ends with exit code 1", wait_for_end(run) == 1, run.said())
        errors = [line for line in run.said().splitlines() if "error" in line.lower()]
        self.check("one message says why", len(errors) == 1 and all(word in errors[0] for word in words), run.said())
        books = json.loads(program.output("ledger", self.folder, "--json"))
        self.check("the ledger closes in between", books["closes"] and not books["ended"], books)

    def resumed(self):
        with self.launch("--resume") as run, self.node() as b:
            self.finished(run, b)


def said_once(process, text):
    return process.said().count(text) == 1


def cut_short(place):
    """A cable that is out for less than the timeout: nobody is given up."""
    cluster = Cluster(place, "cut-short")
    with cluster.begun() as (run, b):
        networks.link.set(cut=True)
        time.sleep(TIMEOUT / 4)
        networks.link.set(cut=False)
        cluster.finished(run, b)
        cluster.check("the node was kept", "is gone" not in run.said() + b.said(), run.said() + b.said())


def lost_and_found(cluster, cut, mend, hold=0):
    with cluster.begun() as (run, b):
        began = time.monotonic()
        cut()
        cluster.check("is noticed", cluster.gone(run), run.said())
        print("        noticed after %.1f s" % (time.monotonic() - began))
        cluster.check("the run goes on", cluster.goes_on(run), run.said())
        cluster.check("the node says so, once", until(lambda: said_once(b, "the run is gone"), run), b.said())
        time.sleep(hold)
        mend()
        began = time.monotonic()
        cluster.check("the node comes back", cluster.there(run), run.said() + b.said())
        print("        back after %.1f s" % (time.monotonic() - began))
        cluster.finished(run, b)
        once = said_once(run, 'node "b" (process') and said_once(b, "the run is gone")
        cluster.check("was lost and found once", once, run.said() + b.said())


def cut_longer(place):
    """For so long that TCP itself would look for the other side once in half a minute only."""
    lost_and_found(Cluster(place, "cut-longer", updates=120), lambda: networks.link.set(cut=True),
                   lambda: networks.link.set(cut=False), hold=PATIENCE * 0.75)


def cut_long(place):
    """A cable that is out for longer than the timeout, somewhere on the way: packets are lost."""
    lost_and_found(Cluster(place, "cut-long"), lambda: networks.link.set(cut=True),
                   lambda: networks.link.set(cut=False))


def link_down(place):
    """The same at the node's own socket: its interface is down."""
    link = ["ip", "-n", networks.there, "link", "set", "bad0"]
    lost_and_found(Cluster(place, "link-down"), lambda: subprocess.run([*link, "down"], check=True),
                   lambda: subprocess.run([*link, "up"], check=True))


def cut_for_good(place):
    """The only sampler is behind the cable: run and node end after their patience, each with one message."""
    cluster = Cluster(place, "cut-for-good", patience=4, only_b=True)
    with cluster.begun() as (run, b):
        networks.link.set(cut=True)
        cluster.stopped(run, 'node "b" has not come back for 4 s')
        cluster.check("the node ends, too", wait_for_end(b) == 1, b.said())
        cluster.check("with one message", said_once(b, "error"), b.said())
    networks.link.set(cut=False)
    cluster.resumed()


def latency(place):
    """200 ms each way."""
    networks.link.set(delay=0.2)
    cluster = Cluster(place, "latency", staleness=1)
    with cluster.begun() as (run, b):
        cluster.finished(run, b)


def loss(place):
    """Of all packets 5 % are lost, each way."""
    networks.link.set(loss=0.05)
    cluster = Cluster(place, "loss", changes=HEAVY)
    with cluster.begun() as (run, b):
        cluster.finished(run, b)


def slow_link(place):
    """A link that takes seconds for a version: the node skips versions, and nothing piles up in the run."""
    reads_slowly(Cluster(place, "slow-link", changes=HEAVIER, staleness=2, updates=150, pace=0.05, long=False),
                 lambda b: networks.link.set(rate=1e6))


def slow_reader(place):
    """A node that runs a tenth of the time: the same, by a reader that is slow itself."""
    over = threading.Event()

    def nap(b):
        while not over.is_set() and b.poll() is None:
            b.send_signal(signal.SIGSTOP)
            time.sleep(TIMEOUT / 8)
            b.send_signal(signal.SIGCONT)
            time.sleep(TIMEOUT / 80)

    try:
        reads_slowly(Cluster(place, "slow-reader", changes=HEAVIER, staleness=2, updates=150, pace=0.05, long=False),
                     lambda b: threading.Thread(target=nap, args=[b]).start())
    finally:
        over.set()


def reads_slowly(cluster, slow_down):
    with cluster.begun() as (run, b):
        before = memory(run)
        slow_down(b)
        after = before
        while run.poll() is None:
            after = max(after, memory(run))
            time.sleep(0.02)
        cluster.finished(run, b)
    weights = (cluster.folder / "checkpoints" / "last" / "model.safetensors").stat().st_size
    made = runs.updates * weights
    taken = networks.link.seen(WEIGHTS) / weights
    print("        the run grew by %.1f MB while it made %.1f MB of weights; of %d versions the node took %.1f" % (
        (after - before) / 1e6, made / 1e6, runs.updates, taken))
    cluster.check("the node skips versions", taken < runs.updates / 2, taken)
    cluster.check("versions do not pile up", after - before < made / 2, (before, after, made))


def memory(process):
    """Bytes of a process that are there."""
    with contextlib.suppress(OSError, IndexError):
        return int(pathlib.Path("/proc/%d/statm" % process.pid).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def full_node(place):
    """The disk of a node is full, that of its log and its temporary files too: a node needs none."""
    cluster = Cluster(place, "full-node")
    with small_disk(place.folder / "node-disk", "1m") as disk, open(disk / "log", "w") as log:
        fill(disk)
        node = {"stderr": log, "cwd": disk, "more": {"TMPDIR": str(disk), "HOME": str(disk)}}
        with cluster.begun(node=node) as (run, b):
            cluster.finished(run, b)
        cluster.check("the disk was full", os.statvfs(disk).f_bavail == 0)


def full_run(place):
    """The disk of the run is full: it stops and says where; its nodes end or wait; with room again it goes on."""
    with small_disk(place.folder / "run-disk", "16m") as disk:
        place.run = lambda name: disk / name
        cluster = Cluster(place, "full-run", changes=(("folder = ", 'folder = "%s" #' % disk),))
        cluster.keys["changes"] = ()
        with cluster.begun() as (run, b):
            fill(disk)
            cluster.stopped(run, "No space left on device", str(cluster.folder))
            cluster.check("the node was told, or waits", said_once(b, "has ended") or said_once(b, "the run is gone"),
                          b.said())
        (disk / "filler").unlink()
        cluster.resumed()


def clock_of_the_run(place):
    """The wall clock of the run's process jumps, back and forth. When it has gone back, the run still starts its nodes
    again and hears Ctrl-C: nothing waits for that clock."""
    cluster, clock = Cluster(place, "clock-run"), WallClock(place.folder, "run")
    with cluster.begun(run={"more": clock.environment}) as (run, b):
        clock.jump(5)
        cluster.check("goes on, five hours later", cluster.goes_on(run), run.said())
        clock.jump(-5)
        cluster.check("goes on, five hours earlier", cluster.goes_on(run), run.said())
        victim = processes(cluster.folder)["sampler-1"]
        os.kill(victim, signal.SIGKILL)
        cluster.check("a node that dies is started again",
                      until(lambda: processes(cluster.folder).get("sampler-1", victim) != victim, run), run.said())
        run.send_signal(signal.SIGINT)
        cluster.check("hears Ctrl-C", wait_for_end(run) == 130, run.said())
    cluster.check("nothing waits for the wall clock", clock.waits() == 0, clock.waits())
    cluster.resumed()


def clock_of_a_node(place):
    """The wall clock of a node jumps: it is lost and comes back five hours later, and hears Ctrl-C an hour earlier."""
    cluster, clock = Cluster(place, "clock-node"), WallClock(place.folder, "node")
    with cluster.begun(node={"more": clock.environment}) as (run, b):
        clock.jump(5)
        networks.link.set(cut=True)
        cluster.check("is lost when the link is", cluster.gone(run), run.said())
        networks.link.set(cut=False)
        cluster.check("comes back, five hours later", cluster.there(run), run.said() + b.said())
        clock.jump(-1)
        cluster.check("goes on, an hour earlier", cluster.goes_on(run), run.said())
        b.send_signal(signal.SIGINT)
        cluster.check("hears Ctrl-C", wait_for_end(b) == 130, b.said())
        cluster.finished(run)
    cluster.check("nothing waits for the wall clock", clock.waits() == 0, clock.waits())


def in_transfer(cluster, run):
    """Makes the link so slow that a transfer of the weights takes two seconds, and waits for the middle of one."""
    first = cluster.folder / "checkpoints" / "last" / "model.safetensors"
    cluster.check("has made weights", until(first.exists, run), run.said())
    size = first.stat().st_size - 8 - int.from_bytes(first.read_bytes()[:8], "little")
    networks.link.set(there={"rate": size / 2})
    done = networks.link.seen(WEIGHTS) // size  # whole versions, and what is said between them
    good = until(lambda: networks.link.seen(WEIGHTS) / size > done + 1
                 and 0.3 < networks.link.seen(WEIGHTS) / size % 1 < 0.7, run)
    cluster.check("weights are on their way", good and run.poll() is None, (networks.link.seen(WEIGHTS), size))


def node_dies_in_transfer(place):
    """kill -9 of the node in the middle of a version; another process takes its place."""
    cluster = Cluster(place, "node-dies", changes=HEAVY, staleness=1)
    with cluster.begun() as (run, b):
        in_transfer(cluster, run)
        b.kill()
        cluster.check("is noticed", cluster.gone(run), run.said())
        cluster.check("the run goes on", cluster.goes_on(run), run.said())
        networks.link.set(rate=0)
        with cluster.node() as again:
            cluster.check("another one comes", cluster.there(run), run.said() + again.said())
            cluster.finished(run, again)


def run_dies_in_transfer(place):
    """kill -9 of the run, which serves the weights, in the middle of a version; the node waits for its resumption."""
    cluster = Cluster(place, "run-dies", changes=HEAVY, staleness=1)
    with cluster.begun() as (run, b):
        in_transfer(cluster, run)
        run.kill()
        cluster.check("the node says so, once", until(lambda: said_once(b, "the run is gone"), b), b.said())
        networks.link.set(rate=0)
        with cluster.launch("--resume") as run:
            cluster.check("the same node comes back", cluster.there(run), run.said() + b.said())
            cluster.finished(run, b)


def all_at_once(place):
    """A bad link, a node with a full disk, clocks that jump, a death in a transfer and a cut cable, in one run."""
    networks.link.set(delay=0.02, loss=0.01)
    lighter = (("hidden_size = 16", "hidden_size = 64"), ("max_positions = 24", "max_positions = 80"),
               ("max_new_tokens = 5", "max_new_tokens = 60"))
    cluster = Cluster(place, "all-at-once", changes=lighter, updates=50, long=False)
    clock = WallClock(place.folder, "both")
    with small_disk(place.folder / "node-disk", "1m") as disk, open(disk / "log", "w") as log:
        fill(disk)
        node = {"more": clock.environment, "stderr": log}
        with cluster.begun(run={"more": clock.environment}, node=node) as (run, b):
            clock.jump(5)
            in_transfer(cluster, run)
            b.kill()
            cluster.check("the death is noticed", cluster.gone(run), run.said())
            networks.link.set(rate=0)
            clock.jump(-5)
            with cluster.node(**node) as b:
                cluster.check("another node comes", cluster.there(run), run.said())
                networks.link.set(cut=True)
                cluster.check("the cut is noticed", cluster.gone(run), run.said())
                networks.link.set(cut=False)
                cluster.check("it comes back", cluster.there(run), run.said())
                cluster.finished(run, b)
        cluster.check("the disk was full", os.statvfs(disk).f_bavail == 0)
    cluster.check("nothing waits for the wall clock", clock.waits() == 0, clock.waits())


parts = [cut_short, cut_long, cut_longer, link_down, cut_for_good, latency, loss, slow_link, slow_reader, full_node,
         full_run, clock_of_the_run, clock_of_a_node, node_dies_in_transfer, run_dies_in_transfer, all_at_once]
if __name__ == "__main__":
    wanted = sys.argv[2:]
    chosen = [part for part in parts if wanted == ["--all"] or part.__name__ in (wanted or ["all_at_once"])]
    if not own_mounts():
        print("skipped: file systems cannot be mounted here")
        sys.exit(77)
    for part in chosen:
        with tempfile.TemporaryDirectory() as folder, Networks() as networks:
            if not networks.possible:
                print("skipped: no network namespaces with TUN devices here (root and ip are needed)")
                sys.exit(77)
            began = time.monotonic()
            part(Place(folder))
            print("%s: %.0f s" % (part.__name__, time.monotonic() - began), flush=True)
    checks.exit()

"""Runs the Slurm example (configs/nodes/slurm.*) on a throw-away cluster of three virtual machines on this one: to the
end, with a task that is killed, cancelled and submitted again, by salloc, and with more tasks than there is room for.
By hand, as root, with Debian's slurm-wlm and munge; it takes a minute.

usage: slurm.py PROGRAM     exit code 77: there is no Slurm
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "salloc", "srun", "scancel", "squeue", "sinfo")
PORTS = random.randrange(20000, 30000, 10)
CONFIG = """ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
KillWait=5
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
MACHINES = ("n1", "n2", "n3")
failed = []


def check(what, good, more=""):
    print(("ok      " if good else "FAILED  ") + what + ("" if good else "  %s" % more), flush=True)
    if not good:
        failed.append(what)


def until(condition, limit=90):
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def said(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def cluster(folder):
    """Slurm's daemons, of this folder alone; they and what they started end with the block."""
    host = socket.gethostname().split(".")[0]
    config = CONFIG.format(host=host, port=PORTS, folder=folder) + "".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORTS + i} CPUs=16\n"
        for i, name in enumerate(MACHINES, 1))
    (folder / "slurm.conf").write_text(config)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    for name in ("munge", "state", *("spool-" + name for name in MACHINES)):
        (folder / name).mkdir()
    folder.chmod(0o755)
    munge = folder / "munge"
    (munge / "key").write_bytes(os.urandom(128))
    (munge / "key").chmod(0o600)
    daemons = [["munged", "--force", "--foreground", *(f"--{option}={munge / name}" for option, name in (
        ("socket", "socket"), ("key-file", "key"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed")))],
               ["slurmctld", "-D"], *(["slurmd", "-D", "-N", name] for name in MACHINES)]
    running = []
    try:
        for words in daemons:
            running.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            until(lambda: (munge / "socket").exists())
        ready = until(lambda: subprocess.run(["sinfo", "-h", "-t", "idle", "-o", "%D"], capture_output=True,
                                             text=True).stdout.strip() == str(len(MACHINES)))
        check("the cluster is up", ready, said("sinfo", "-N", "-l") if ready else (folder / "slurmctld.log").read_text())
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        until(lambda: not subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout)
        for daemon in reversed(running):
            daemon.terminate()
        for daemon in running:
            daemon.wait()


class Example:
    """The example's files in a folder of their own, changed as little as may be."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(SOURCE / "configs" / "nodes", folder / "configs" / "nodes")
        subprocess.run(["slipstream", "certs", "--to", "slipstream-pki", "learner", "node"], cwd=folder, check=True,
                       capture_output=True)
        self.original = (folder / "configs/nodes/slurm.toml").read_text()

    def name(self, name, updates, *changes):
        text = self.original.replace("nodes-slurm", name).replace("updates = 60", "updates = %d" % updates)
        for change in changes:
            text = text.replace(*change)
        (self.folder / "configs/nodes/slurm.toml").write_text(text)
        self.run = self.folder / "runs" / name

    def submit(self):
        self.job = said("sbatch", "--parsable", "--chdir", self.folder, self.folder / "configs/nodes/slurm.sbatch").strip()

    def output(self):
        file = self.folder / ("slurm-%s.out" % self.job)
        return file.read_text() if file.exists() else ""

    def over(self):
        return self.job not in said("squeue", "-h", "-o", "%i").split()

    def processes(self):
        file = self.run / "processes.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def begun(self):
        return until(lambda: len(self.processes()) == 3 and (self.run / "metrics.jsonl").exists())

    def summary(self):
        file = self.run / "summary.json"
        return json.loads(file.read_text()) if file.exists() else {}


def alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def all_parts(example):
    example.name("whole", 60)
    example.submit()
    check("whole: begins", example.begun(), example.output())
    check("whole: ends", until(example.over) and example.summary().get("exit_code") == 0, example.output())

    example.name("mishaps", 1000)
    example.submit()
    check("mishaps: begins", example.begun(), example.output())
    steps = said("squeue", "-s", "-h", "-o", "%j %N").split("\n")
    check("mishaps: a task on each of the other machines", {"slipstream-a n2", "slipstream-b n3"} <= set(steps), steps)
    victim = example.processes()["sampler-1"]
    os.kill(victim, signal.SIGKILL)
    check("mishaps: a task that is killed is started again", until(
        lambda: example.processes().get("sampler-1", victim) != victim), example.output())
    check("mishaps: and the run says why", "task 0: Killed" in example.output(), example.output())
    pids = example.processes()
    said("scancel", example.job)
    check("cancelled: ends", until(example.over), said("squeue"))
    check("cancelled: with a checkpoint", "interrupted; checkpoint" in example.output(), example.output())
    check("cancelled: no process is left", until(lambda: not any(map(alive, pids.values())), 30), pids)
    check("cancelled: before its end", example.summary()["exit_code"] == 130, example.summary())
    example.submit()
    check("cancelled: goes on to the end when it is submitted again", until(
        lambda: example.summary()["exit_code"] == 0 and example.over()), example.output())

    example.name("by-hand", 60)
    by_hand = subprocess.run(["salloc", "--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=8", "slipstream", "launch",
                              "configs/nodes/slurm.toml"], cwd=example.folder, capture_output=True, text=True)
    check("salloc: ends", by_hand.returncode == 0, by_hand.stderr)

    example.name("crowded", 60, ("[nodes.a]", "patience = 20\n[nodes.a]"))
    script = example.folder / "configs/nodes/slurm.sbatch"
    script.write_text(script.read_text().replace("exec slipstream", """for i in 1 2 3 4 5 6; do srun --nodes=1 --ntasks=1 sleep 1000 & done
until [ $(squeue -s -h -o %j -j $SLURM_JOB_ID | grep -c sleep) = 6 ]; do sleep 0.1; done
slipstream"""))
    example.submit()
    check("crowded: ends", until(lambda: "runs nowhere else" in example.output() and example.over(), 120),
          example.output())
    check("crowded: says why", "Unable to create step" in example.output(), example.output())


if __name__ == "__main__":
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or os.getuid() != 0:
        print("left out: " + ("there is no " + ", ".join(missing) if missing else "it needs root"))
        sys.exit(77)
    os.environ["PATH"] = str(pathlib.Path(sys.argv[1]).resolve().parent) + ":" + os.environ["PATH"]
    with tempfile.TemporaryDirectory() as scratch, cluster(pathlib.Path(scratch)):
        all_parts(Example(pathlib.Path(scratch) / "example"))
    print("%d failed" % len(failed) if failed else "all passed")
    sys.exit(bool(failed))

"""Runs that are short of memory, threads or descriptors: each ends by itself, with a reason, or finishes.

python3 limits.py PROGRAM [--all]
--all tries every 50 MB of address space, and every number of threads and descriptors up to what a run needs."""
import os, resource, subprocess, sys, tempfile, time
from pathlib import Path

import runs

PROGRAM = str(Path(sys.argv[1]).resolve())
ALL = "--all" in sys.argv
runs.updates = 3
SOMEBODY = 54321  # a user without processes: the limit on threads counts those of a user, and spares root


def attempt(kind, limit):
    """Runs under one limit; what it did, and how long it took."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = Path(folder)
        (place / "x.toml").write_text(runs.topology(place, "x", "max_staleness = 1"))
        runs.write_prompts(place)
        os.chmod(folder, 0o777)

        def restrict():
            if kind == "threads":
                os.setgroups([])
                os.setgid(SOMEBODY)
                resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
                os.setuid(SOMEBODY)
            elif kind == "descriptors":
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            else:
                resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        begun = time.monotonic()
        try:
            done = subprocess.run([PROGRAM, "run", "x.toml"], cwd=folder, capture_output=True, text=True, timeout=60,
                                  preexec_fn=restrict)
        except subprocess.TimeoutExpired as hung:
            return "HANGS", time.monotonic() - begun, (hung.stderr or b"").decode()[-300:]
        took = time.monotonic() - begun
        return done.returncode, took, done.stderr.strip()


def somebody_can():
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run([PROGRAM, "--version"], user=SOMEBODY, group=SOMEBODY, extra_groups=[], cwd="/",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def verdict(code, text):
    if code == 0:
        return "finishes"
    if code == "HANGS" or code < 0:
        return "FAILED"
    return "refused" if text and code != 2 else "FAILED"  # 2: the test's own files are at fault


def main():
    sweeps = {
        "threads": range(1, 40) if ALL else (1, 2, 3, 4, 6, 9, 12, 16),
        "descriptors": range(3, 64) if ALL else (4, 6, 10, 16, 20, 22, 24, 28),
        "megabytes": range(100, 2400, 50) if ALL else (200, 500, 700, 900, 1100, 1300, 1600),
    }
    wrong = 0
    for kind, limits in sweeps.items():
        if kind == "threads" and not somebody_can():
            print("threads: not tried, needs root, and a program that others may execute")
            continue
        for limit in limits:
            code, took, text = attempt(kind, limit)
            found = verdict(code, text)
            wrong += found == "FAILED"
            last = text.splitlines()[-1][:150] if text else ""
            print(f"{kind:12} {limit:5}  {found:9} {code!s:>5} {took:5.1f} s  {'' if code == 0 else last}", flush=True)
    if wrong:
        sys.exit(f"FAILED: {wrong} set-ups hang, crash or say nothing")


main()

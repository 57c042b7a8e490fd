"""A disk that is full or read-only: the run stops with a text that names the file and the mend, nothing is corrupt, and
when there is room again it goes on as if nothing had been. usage: disk.py PROGRAM [mounted]

With "mounted" on a small file system of its own (root only; else exit code 77, which ctest counts as skipped)."""
import pathlib
import resource
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import runs
from disks import fill, mount, own_mounts, small_disk

program, mounted = runs.Program(sys.argv[1]), sys.argv[2:] == ["mounted"]
checks = runs.Checks()
synchronous, asynchronous = "max_staleness = 0", "max_staleness = 2"


def size_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def check_stop(name, code, message, file, reason):
    checks.check(name + ": exit code 1", code == 1, code)
    checks.check(name + ": names the file, the reason and the mend",
                 file in message and reason in message and "--resume" in message, message)


def check_whole(name, run, bound, undisturbed):
    runs.check_books(checks, program, run, name, bound)
    left = [p.name for p in list(run.glob("*.new")) + list((run / "checkpoints").glob(".*"))]
    checks.check(name + ": nothing is left lying about", not left, left)
    if bound == 0:
        checks.check(name + ": the weights of the undisturbed run, to the bit", runs.weights(run) == undisturbed)


def finish(name, file, run, bound, undisturbed):
    code, message = program.run(file)
    checks.check(name + ": goes on and finishes", code == 0, message)
    check_whole(name, run, bound, undisturbed)


def written(place, name, schedule, every=9, folder=None):
    file = place / (name + ".toml")
    file.write_text(runs.topology(place, name, schedule, every, folder))
    return file, (folder or place / "runs") / name


def limits(place, undisturbed, largest):
    """Each file that a run writes, by limits on the size of files and by what stands in its way."""
    file, run = written(place, "journal", asynchronous)
    for limit, stops in ((300, "topology.toml"), (9000, "000001.journal")):
        code, message = program.run(file, size_limit(limit))
        check_stop("files of %d bytes" % limit, code, message, stops + ": error", "File too large")
    finish("journal", file, run, 2, undisturbed)

    file, run = written(place, "checkpoint", synchronous, every=1)
    code, message = program.run(file, size_limit(largest - 1))
    check_stop("checkpoint", code, message, "optimizer.safetensors", "File too large")
    finish("checkpoint", file, run, 0, undisturbed)

    file, run = written(place, "metrics", synchronous)
    run.mkdir(parents=True)
    (run / "metrics.jsonl").symlink_to("/dev/full")
    code, message = program.run(file)
    check_stop("metrics", code, message, "metrics.jsonl", "No space left on device")
    checks.check("metrics: the summary has the reason", "metrics.jsonl" in (run / "summary.json").read_text())
    (run / "metrics.jsonl").unlink()
    finish("metrics", file, run, 0, undisturbed)

    file, run = written(place, "summary", synchronous)
    (run / "summary.json").mkdir(parents=True)
    code, message = program.run(file)
    checks.check("summary: exit code 1, and named", code == 1 and "summary.json" in message, (code, message))
    (run / "summary.json").rmdir()
    finish("summary", file, run, 0, undisturbed)


def full_disk(place, disk, undisturbed):
    for name, schedule, bound, at in (("full-0", synchronous, 0, 3), ("full-1", asynchronous, 2, 12),
                                      ("full-2", synchronous, 0, 0), ("full-3", asynchronous, 2, 25)):
        file, run = written(place, name, schedule, 5, disk)
        process = program.start(file)
        while process.poll() is None and (runs.lines_of(run) < at or not (run / "journal").exists()):
            runs.let_run(process)
        fill(disk)
        message = process.communicate(timeout=300)[1]
        checks.check(name + ": the disk was full while it ran", process.returncode != 0, "it had finished")
        check_stop(name, process.returncode, message, str(run), "No space left on device")
        code, message = program.run(file)
        checks.check(name + ": still full, still told", code in (1, 2) and str(run) in message, (code, message))
        (disk / "filler").unlink()
        finish(name, file, run, bound, undisturbed)


def read_only_disk(place, disk, undisturbed):
    file, run = written(place, "read-only", synchronous, 5, disk)
    process = program.start(file)
    while process.poll() is None and runs.lines_of(run) < 8:
        runs.let_run(process)
    process.kill()
    process.communicate()
    checks.check("read-only: mounted so", mount("-o", "remount,ro", disk))
    code, message = program.run(file)
    checks.check("read-only: refused, and said why", code == 2 and str(run) in message and
                 "Read-only file system" in message, (code, message))
    mount("-o", "remount,rw", disk)
    finish("read-only", file, run, 0, undisturbed)


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    if mounted and not own_mounts():
        print("skipped: file systems cannot be mounted here")
        sys.exit(77)
    runs.write_prompts(root)
    plain_file, plain = written(root, "undisturbed", synchronous)
    done, said = program.run(plain_file)
    checks.check("the undisturbed run finishes", done == 0, said)
    bits = runs.weights(plain)
    if mounted:
        with small_disk(root / "disk", "4m") as small:
            full_disk(root, small, bits)
            read_only_disk(root, small, bits)
    else:
        limits(root, bits, (plain / "checkpoints" / "last" / "optimizer.safetensors").stat().st_size)
checks.exit()

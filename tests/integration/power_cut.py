"""The power fails at random moments, also while a checkpoint is being written: what the journal's last sync did not
cover is lost, zeros or noise. run --resume goes on, and nothing is lost or repeated.

usage: power_cut.py PROGRAM [RUNS]"""
import collections
import json
import pathlib
import random
import struct
import sys
import tempfile
import time
import zlib

import runs

program, points = runs.Program(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
checks = runs.Checks()
marker = struct.pack("<I", 0x8a4a4c53)
phases, damages = collections.Counter(), collections.Counter()


def number(data, at):
    """Seven bits a byte, least first; and where it ends."""
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def records(data):
    """(place, bytes back to what was on the disk, payload or None where it is packed) of each whole record."""
    at = 4
    while at + 12 <= len(data) and data[at:at + 4] == marker:
        size, checksum = struct.unpack_from("<II", data, at + 4)
        content = data[at + 12:at + 12 + size]
        if size < 2 or len(content) != size or zlib.crc32(content) != checksum:  # as the program's reader
            return
        behind, start = number(content, 1)
        yield at, behind, None if content[0] else content[start:]
        at += 12 + size


def synced(data):
    """Bytes that were on the disk when the journal's last record was written, as its records say."""
    return max([4] + [at - behind for at, behind, _ in records(data)])


def is_training(data):
    """Whether the learner was given a batch and has not made a version of it."""
    consumed = made = 0
    for _, _, payload in records(data):
        if payload is None:
            continue
        _, at = number(payload, 1)  # behind kind and time
        if payload[0] == 4:  # batch_consumed
            consumed = max(consumed, number(payload, at)[0])
        if payload[at:at + 8] == b"\x07learner":  # version_made
            made = max(made, number(payload, at + 8)[0])
    return consumed > made


def version_of(run):
    state = run / "checkpoints" / "last" / "slipstream.json"
    return json.loads(state.read_text())["version"] if state.exists() else 0


def cut_power(run, on_disk):
    """What may become of the bytes that were never synced. `on_disk`: what earlier cuts knew of each file, since a cut takes
    away the records that say so."""
    files = sorted((run / "journal").glob("*.journal"))
    if not files:
        return "no journal yet"
    data = bytearray(files[-1].read_bytes())
    known = on_disk[files[-1]] = max(on_disk.get(files[-1], 4), synced(data))
    # killed between a checkpoint and the next record, the journal cannot say that its end was synced
    if b"made version %d" % version_of(run) not in data[:known] and version_of(run) > 0:
        return "nothing was at risk"
    if known >= len(data):
        return "nothing was at risk"
    start = random.randrange(known, len(data))
    end = random.randrange(start, len(data)) + 1
    how = random.choice(["lost", "zeros", "noise", "a hole", "zeros behind"])
    if how == "lost":
        del data[start:]
    elif how == "zeros":
        data[start:] = bytes(len(data) - start)
    elif how == "noise":
        data[start:] = random.randbytes(len(data) - start)
    elif how == "a hole":
        data[start:end] = bytes(end - start)
    else:
        data += bytes(random.randrange(1, 9000))
    files[-1].write_bytes(data)
    return how


def writes_checkpoint(run):
    folder = run / "checkpoints"
    return folder.exists() and any(entry.name.startswith(".step") for entry in folder.iterdir())


def phase_of(run, phase):
    """Of a running program, what it was doing as it died."""
    if phase != "running":
        return phase
    files = sorted((run / "journal").glob("*.journal"))
    return "training" if files and is_training(files[-1].read_bytes()) else "sampling"


def wait_for(process, run, phase):
    """Until the moment to kill at has come, or the run has ended; what the phase was."""
    goal = 0 if phase == "start" else runs.lines_of(run) + random.randrange(1, 12)
    pause = random.random() * 0.6
    began = time.monotonic()
    while process.poll() is None:
        if phase == "checkpoint" and writes_checkpoint(run):
            return
        if phase == "start" and time.monotonic() - began > pause:
            return
        if phase == "running" and runs.lines_of(run) >= goal:
            return
        if phase != "checkpoint":  # that is over within milliseconds
            runs.let_run(process)


def killed_run(place, name, schedule, kills):
    file, run = place / (name + ".toml"), place / "runs" / name
    file.write_text(runs.topology(place, name, schedule, checkpoint_every=4))
    on_disk = {}
    for _ in range(kills):
        phase = random.choice(["start", "running", "running", "checkpoint"])
        process = program.start(file)
        wait_for(process, run, phase)
        if process.poll() is not None:
            message = process.communicate()[1]
            if process.returncode != 0:
                raise SystemExit(name + ": " + message)
            break
        process.kill()
        process.communicate()
        phases[phase_of(run, phase)] += 1
        damages[cut_power(run, on_disk)] += 1
    code, message = program.run(file)
    checks.check(name + ": goes on and finishes", code == 0, message)
    return run


with tempfile.TemporaryDirectory() as folder:
    random.seed(20261124)
    root = pathlib.Path(folder)
    runs.write_prompts(root)
    for kind, keys, bound in (("synchronous", "max_staleness = 0", 0), ("asynchronous", "max_staleness = 2", 2),
                              ("seldom", 'max_staleness = 3\npublish_every = 2\non_new_weights = "finish"', 3)):
        whole = killed_run(root, kind, keys, 0)
        for i in range(points):
            name = "%s-%d" % (kind, i)
            run = killed_run(root, name, keys, 1 + i % 3)
            runs.check_books(checks, program, run, name, bound)
            if bound == 0:
                checks.check(name + ": the weights of the undisturbed run, to the bit",
                             runs.weights(run) == runs.weights(whole))
print("killed in phases", dict(phases), "- what became of the journal's end", dict(damages))
checks.check("some journals lost their end", sum(damages.values()) - damages["no journal yet"] -
             damages["nothing was at risk"] > 0)
checks.exit()

"""A run that an earlier program wrote and was killed in (tests/data/journals/run/) is resumed and replayed.

Its weights are those of an earlier arithmetic: a replay compares them within a tolerance."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

program, kept = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
updates, batch = 8, 4
environment = dict(os.environ, OMP_WAIT_POLICY="passive", SLIPSTREAM_THREADS_SET="1")
failures = []


def check(what, good, say=""):
    print(("ok      " if good else "FAILED  ") + what + ("" if good else "  " + str(say)), flush=True)
    if not good:
        failures.append(what)


def run(*arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=240, env=environment)
    return done.returncode, done.stdout, done.stderr


def figures(of):
    return {name: of[name] for name in ("length_mean", "reward_mean", "staleness_max", "staleness_mean")}


with tempfile.TemporaryDirectory() as place:
    shutil.copytree(kept, place, symlinks=True, dirs_exist_ok=True)
    os.chdir(place)
    folder = pathlib.Path("runs/kept")
    before = (folder / "metrics.jsonl").read_text().splitlines()
    journal = (folder / "journal" / "000001.journal").read_bytes()

    code, said, errors = run("run", "kept.toml", "--resume")
    check("it is resumed", code == 0, errors)
    check("its old names of keys are noted", "[schedule] brakes is called guards now" in said + errors, said + errors)
    check("its topology stays as it was", "brakes = " in (folder / "topology.toml").read_text())
    after = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    check("every update once", [line["update"] for line in after] == list(range(1, updates + 1)), after)
    step = json.loads(before[3])  # the checkpoint was made of the fourth
    check("what the checkpoint holds is not done again", after[3] == step, (after[3], step))
    check("its journal goes on behind what it was",
          (folder / "journal" / "000001.journal").read_bytes().startswith(journal))
    books = json.loads(run("ledger", folder, "--json")[1])
    check("the ledger closes", books["closes"] and books["trained"] == updates * batch, books)

    code, said, errors = run("replay", folder, "--json")
    check("it is replayed", code in (0, 1) and said.startswith("{"), errors)
    replay = json.loads(said)
    check("all of it", replay["updates"] == updates and len(replay["updates_compared"]) == updates, replay["updates"])
    other = replay["other_arithmetic"]
    check("its arithmetic is another", other["run"] == 1 and other["here"] > 1, other)
    for each in replay["updates_compared"]:
        check("update %d has the same groups" % each["update"], figures(each["run"]) == figures(each["replayed"]), each)
    check("its weights are the same within the tolerance", code == 0 and replay["equal"] and replay["checkpoints_compared"] > 0
          and 0 < other["largest_difference"] < 0.01, (code, replay.get("first_difference"), other))

# A guard that trips: the metrics of a run keep the names with which it began.
with tempfile.TemporaryDirectory() as place:
    shutil.copytree(kept, place, symlinks=True, dirs_exist_ok=True)
    os.chdir(place)
    for file in ("kept.toml", "runs/kept/topology.toml"):
        text = pathlib.Path(file).read_text()
        pathlib.Path(file).write_text(text.replace("below = 0.05", "below = 2.0"))
    code, _, errors = run("run", "kept.toml", "--resume")
    lines = [json.loads(line) for line in pathlib.Path("runs/kept/metrics.jsonl").read_text().splitlines()]
    check("a run keeps the names of its metrics",
          code == 0 and all("brake" in line and "guard" not in line for line in lines[4:]), (errors, lines[4:]))
sys.exit("%d failed" % len(failures) if failures else 0)

#!/usr/bin/env python3
"""Sampling, reading prompts and training beside what the machine can do, and beside the peers that are there.

usage: speed.py [S] [M] [R]     shapes of tests/bench/speed_shapes.py, with random weights; default: S
environment: THREADS (2)        ROUNDS (3): every program takes its turn in each; the median is printed
             LLAMA_CPP=FOLDER   with llama-batched-bench (as build/bin of llama.cpp)
             PYTHON=PYTHON      that has torch and transformers
             WHAT               some of decode,weights,prefill,long,train (default: all)
The floor is the greater of two times: bytes read (weights once a step, and the cache of every answer) over the bandwidth at
which this machine reads memory, and operations (two a weight and token, and attention) over its multiply-adds a second.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from speed_shapes import SHAPES, tensors, write_folder, write_gguf

ROOT = Path(__file__).resolve().parents[2]
THREADS = int(os.environ.get("THREADS", "2"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
LLAMA_CPP = os.environ.get("LLAMA_CPP")
PYTHON = os.environ.get("PYTHON")
WHAT = os.environ.get("WHAT", "decode,weights,prefill,long,train").split(",")
BATCHES = [1, 8, 32, 64]
PROMPT, FRESH = 16, 64
TRAIN = """
import json, sys, time, torch
from transformers import LlamaConfig, LlamaForCausalLM
folder, threads, batch, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
model = LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation=sys.argv[5])
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
ids = torch.randint(model.config.vocab_size, (batch, length))
def step():
    start = time.time()
    optimizer.zero_grad()
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    optimizer.step()
    return time.time() - start
step()
best = min(step() for _ in range(2))
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"tokens_per_s": batch * length / best, "peak_bytes": peak}))
"""


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit("%s\nended with %d: %s" % (" ".join(map(str, command)), done.returncode, done.stderr[-2000:]))
    return done.stdout


def ours(what, folder, batches, prompt, fresh, *more):
    """{batch: the program's figures}"""
    text = run([ROOT / "build/release/slipstream", "bench", what, "--model", folder, "--threads", str(THREADS), "--batch",
                ",".join(map(str, batches)), "--prompt", str(prompt), "--new", str(fresh), "--repeats", "2", "--json",
                *more])
    return {each["batch"]: each for each in json.loads(text)}


def llama(file, batches, prompt, fresh):
    """{batch: tokens a second of decoding}, {batch: of reading prompts}"""
    program = next((found for found in Path(LLAMA_CPP).rglob("llama-batched-bench") if found.is_file()), None)
    if not program:
        sys.exit(f"{LLAMA_CPP} holds no llama-batched-bench; build that target of llama.cpp")
    text = run([program, "-m", file, "-t", str(THREADS), "-tb", str(THREADS), "-npp", str(prompt), "-ntg", str(fresh), "-npl",
                ",".join(map(str, batches)), "-c", str(max(batches) * (prompt + fresh + 32)), "--output-format", "jsonl"])
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {each["pl"]: each["speed_tg"] for each in lines}, {each["pl"]: each["speed_pp"] for each in lines}


def sizes(shape):
    """Parameters in matrices that a step reads (a tied head is read once), and floats of a token's cache."""
    matrices = sum(rows * columns for _, _, rows, columns in tensors(shape))
    return matrices, 2 * shape["layers"] * shape["hidden"] // shape["heads"] * shape["kv"]


def decode_floor(shape, figures, batch, context, bytes_each=4):
    """Tokens a second at best, of `batch` answers with `context` tokens each."""
    weights, cache = sizes(shape)
    attention = 4 * shape["layers"] * shape["hidden"] * context
    reading = (weights * bytes_each + batch * context * cache * 4) / figures["read_bytes_per_s"]
    computing = batch * (2 * weights + attention) / figures["peak_operations_per_s"]
    return batch / max(reading, computing)


def prefill_operations(shape, length):
    """Of one token on average; the head is computed once a prompt."""
    weights = sizes(shape)[0] - shape["vocab"] * shape["hidden"]
    return 2 * weights + 2 * shape["vocab"] * shape["hidden"] / length + 2 * shape["layers"] * shape["hidden"] * length


class Table:
    """Figures by what was measured, of all rounds."""

    def __init__(self):
        self.figures = {}

    def add(self, name, value):
        self.figures.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.figures[name]) if name in self.figures else None


def line(what, table, name, floors, peers):
    found = table.median(name)
    text = "%-34s %9.1f tokens/s" % (what, found)
    if floors:
        text += "   %3.0f %% of the floor" % (100 * statistics.median(table.figures[name][i] / floors[i] for i in range(len(floors))))
    for peer, key in peers:
        if table.median(key):
            text += "   %.2f x %s (%.1f)" % (found / table.median(key), peer, table.median(key))
    print(text, flush=True)


def measure(name, folder, gguf):
    shape, table, floors = SHAPES[name], Table(), {}

    def keep(key, figures, floor):
        table.add(key, figures["tokens_per_s"])
        floors.setdefault(key, []).append(floor)

    for _ in range(ROUNDS):
        if "decode" in WHAT:
            for batch, each in ours("decode", folder, BATCHES, PROMPT, FRESH).items():
                keep(f"decode {batch}", each, decode_floor(shape, each, batch, PROMPT + FRESH / 2))
            if gguf:
                for batch, speed in llama(gguf, BATCHES, PROMPT, FRESH)[0].items():
                    table.add(f"llama decode {batch}", speed)
            for batch, each in ours("decode", folder, [1, 8, 64], PROMPT, FRESH, "--top-p", "0.95").items():
                keep(f"top-p {batch}", each, decode_floor(shape, each, batch, PROMPT + FRESH / 2))
        if "weights" in WHAT:
            for kind, size in (("bf16", 2), ("int8", 1)):
                for batch, each in ours("decode", folder, [1, 8, 64], PROMPT, FRESH, "--weights", kind).items():
                    keep(f"{kind} {batch}", each, decode_floor(shape, each, batch, PROMPT + FRESH / 2, size))
        if "prefill" in WHAT:
            each = ours("prefill", folder, [1], 512, 1)[1]
            keep("prefill 512", each, each["peak_operations_per_s"] / prefill_operations(shape, 512))
            if gguf:
                table.add("llama prefill 512", llama(gguf, [1], 512, 2)[1][1])
        if "long" in WHAT:
            each = ours("prefill", folder, [1], 4096, 1)[1]
            keep("prefill 4096", each, each["peak_operations_per_s"] / prefill_operations(shape, 4096))
            for batch, each in ours("decode", folder, [1, 8], 4096, 16).items():
                keep(f"decode at 4096 {batch}", each, decode_floor(shape, each, batch, 4104))
        if "train" in WHAT:
            each = ours("train", folder, [8], 128, 128)[8]
            table.add("train", each["tokens_per_s"])
            table.add("train memory", each["peak_bytes"])
            if PYTHON:
                for how in ("eager", "sdpa"):
                    theirs = json.loads(run([PYTHON, "-c", TRAIN, folder, str(THREADS), "8", "256", how]).splitlines()[-1])
                    table.add(f"torch train {how}", theirs["tokens_per_s"])
                    table.add(f"torch memory {how}", theirs["peak_bytes"])
    report(name, table, floors)


def report(name, table, floors):
    print(f"\n{name}: {sizes(SHAPES[name])[0] / 1e6:.0f} million weights, {THREADS} threads, median of {ROUNDS}")
    for key in table.figures:
        if key.startswith(("llama", "torch", "train memory")):
            continue
        peers = [("llama.cpp f32", "llama " + key)]
        if key.startswith(("bf16", "int8")):
            peers.append(("our f32", "decode " + key.split()[1]))
        if key == "train":
            peers = [("torch eager", "torch train eager"), ("torch sdpa", "torch train sdpa")]
        line(key, table, key, floors.get(key), peers)
    if table.median("train memory"):
        text = "%-34s %9.2f GB" % ("train, most memory", table.median("train memory") / 1e9)
        for how in ("eager", "sdpa"):
            if theirs := table.median(f"torch memory {how}"):
                text += "   %.2f x torch %s (%.2f)" % (table.median("train memory") / theirs, how, theirs / 1e9)
        print(text, flush=True)


def main():
    names = sys.argv[1:] or ["S"]
    for name in names:
        if name not in SHAPES:
            sys.exit(f"{name} is no shape; there are {', '.join(SHAPES)}")
    place = Path(tempfile.mkdtemp(prefix="slipstream-speed-", dir=os.environ.get("TMPDIR")))
    try:
        for name in names:
            write_folder(place / name, SHAPES[name])
            gguf = place / f"{name}.gguf" if LLAMA_CPP else None
            if gguf:
                write_gguf(gguf, SHAPES[name])
            measure(name, place / name, gguf)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Encoding speed beside Hugging Face's JavaScript library (npm @huggingface/tokenizers) on the same texts in one run.

usage: tokenizer.py [FOLDER [FILE]]   a folder with tokenizer.json and tokenizer_config.json; each line of FILE is a text
The library is looked for where node finds it from $SLIPSTREAM_NODE_FOLDER (a folder with node_modules); nothing is
installed. Texts of about 100 and of about 2,000 bytes are timed apart.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORACLE = """
const {Tokenizer} = require('@huggingface/tokenizers'), fs = require('fs');
const read = name => JSON.parse(fs.readFileSync(process.argv[1] + '/' + name));
const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
const texts = fs.readFileSync(process.argv[2], 'utf8').split('\\n').filter(text => text);
const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
let best = Infinity, ids = 0;
for (let round = 0; round < 5; ++round) {
  const start = process.hrtime.bigint();
  ids = 0;
  for (const text of texts) ids += tokenizer.encode(text, {add_special_tokens: false}).ids.length;
  best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e9);
}
console.log(JSON.stringify({ids, bytes_per_second: bytes / best}));
"""


def own_text():
    """Our documentation and sources: what there is in every checkout."""
    files = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "models").rglob("*.cpp"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def texts_of(text, bytes_each):
    """The text as lines of about so many bytes."""
    texts, line = [], ""
    for part in text.split("\n"):
        line += part + " "
        if len(line) >= bytes_each:
            texts.append(line)
            line = ""
    return texts


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "tests/data/golden/tokenizers/gpt2")
    text = Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else own_text()
    program = str(ROOT / "build/release/tests/bench_tokenizer_encode")
    node_folder = os.environ.get("SLIPSTREAM_NODE_FOLDER", str(ROOT))
    for bytes_each in (100, 2000):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
            file.write("\n".join(texts_of(text, bytes_each)))
            file.flush()
            ours = json.loads(subprocess.run([program, folder, file.name], check=True, capture_output=True).stdout)
            print(f"texts of {bytes_each} bytes: {ours['bytes']} bytes, {ours['ids']} ids, "
                  f"{ours['bytes_per_second'] / 1e6:.1f} MB/s (loaded in {ours['load_seconds']:.2f} s)")
            try:
                found = subprocess.run(["node", "-e", ORACLE, folder, file.name], cwd=node_folder, capture_output=True)
            except FileNotFoundError:
                found = None
            if found is None or found.returncode != 0:
                print("  @huggingface/tokenizers is absent: set SLIPSTREAM_NODE_FOLDER to a folder that has it")
                continue
            theirs = json.loads(found.stdout)
            same = "the same ids" if theirs["ids"] == ours["ids"] else f"{theirs['ids']} ids"
            print(f"  @huggingface/tokenizers: {theirs['bytes_per_second'] / 1e6:.1f} MB/s, {same}; "
                  f"ratio {ours['bytes_per_second'] / theirs['bytes_per_second']:.1f}")


if __name__ == "__main__":
    main()

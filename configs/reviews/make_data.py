#!/usr/bin/env python3
"""Writes the data of configs/reviews from a folder with amazon_rated.jsonl, with Python's standard library only.

usage: make_data.py SOURCE_FOLDER [--to data/reviews] [--text data/text]

SOURCE_FOLDER/amazon_rated.jsonl has {"text": a sentence of a product review, "mean": of about 20 people's ratings}, as
Hutto and Gilbert (2014) published them. data/text is what ../text/make_data.py writes.

  sentences.jsonl, sentences-heldout.jsonl   {"prompt": "review:", "response": " SENTENCE"}
  pairs.jsonl, pairs-heldout.jsonl           {"prompt": "review:", "chosen": …, "rejected": …}, ratings 1 or more apart
  prompts.jsonl, prompts-heldout.jsonl       {"prompt": "review: " and a sentence's first two words}
  text.txt                                   the training sentences, for `slipstream tokenizer train`

A tenth of the sentences is held out (by the sha256 of the text), before pairs are made: no sentence is on both sides.
Held-out pairs are all that there are. 3,347 training sentences teach neither English nor every word's kindness, so that
sentences.jsonl has each four times among 12,000 definitions, and pairs.jsonl has 12,800 pairs of single words from the
lexicon before its 16,000 pairs of sentences: read it with shuffle = false. Pairs are drawn, each text about equally
often. The same sources give the same bytes; files that are there are left alone.
"""
import argparse
import hashlib
import json
import os
import random
from pathlib import Path

PROMPT = "review:"
GAP = 1.0


def held_out(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 == 0


def read_sentences(path):
    ratings = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            ratings.setdefault(" ".join(row["text"].split()), row["mean"])
    return ratings


def as_pair(one, other):
    better, worse = (one, other) if one[1] > other[1] else (other, one)
    return {"prompt": PROMPT, "chosen": " " + better[0], "rejected": " " + worse[0], "gap": round(better[1] - worse[1], 2)}


def all_pairs(rated):
    return [as_pair(a, b) for i, a in enumerate(rated) for b in rated[:i] if abs(a[1] - b[1]) >= GAP]


def drawn_pairs(rated, count):
    """Goes through the texts in shuffled rounds and gives each a partner by chance."""
    chance, pairs = random.Random(1), []
    while len(pairs) < count:
        order = rated[:]
        chance.shuffle(order)
        for one in order:
            partners = [other for other in chance.choices(rated, k=20) if abs(one[1] - other[1]) >= GAP]
            if partners and len(pairs) < count:
                pairs.append(as_pair(one, partners[0]))
    return pairs


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def write_rows(path, rows):
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{path}: {len(rows)} rows")


def beginnings(rated):
    words = dict.fromkeys(" ".join(text.split()[:2]) for text, _ in rated if len(text.split()) >= 4)
    return [{"prompt": f"{PROMPT} {begin}"} for begin in words]


def read_lexicon(path):
    with open(path, encoding="utf-8") as file:
        return [(word, float(rating)) for word, rating in (line.split("\t") for line in file)]


def definitions(path):
    """Every third of the training definitions, the first 12,000 of them."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file][::3][:12000]


def make(source, to, text):
    rated = sorted(read_sentences(source / "amazon_rated.jsonl").items())
    for name, keep in (("-heldout", held_out), ("", lambda text: not held_out(text))):
        part = [entry for entry in rated if keep(entry[0])]
        sentences = [{"prompt": PROMPT, "response": " " + text} for text, _ in part]
        write_rows(to / f"prompts{name}.jsonl", beginnings(part))
        if name:
            write_rows(to / f"sentences{name}.jsonl", sentences)
            write_rows(to / f"pairs{name}.jsonl", all_pairs(part))
            continue
        write_text(to / "text.txt", "".join(row["prompt"] + row["response"] + "\n" for row in sentences))
        write_rows(to / "sentences.jsonl", 4 * sentences + definitions(text / "definitions.jsonl"))
        words = drawn_pairs(read_lexicon(text / "lexicon.tsv"), 12800)
        write_rows(to / "pairs.jsonl", words + drawn_pairs(part, 16000))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--to", type=Path, default=Path("data/reviews"))
    parser.add_argument("--text", type=Path, default=Path("data/text"))
    options = parser.parse_args()
    if (options.to / "pairs.jsonl").exists():  # the last file that is written
        print(f"{options.to} is there already; nothing was changed")
        return
    make(options.source, options.to, options.text)


if __name__ == "__main__":
    main()

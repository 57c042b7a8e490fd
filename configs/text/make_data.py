#!/usr/bin/env python3
"""Writes the data of configs/text from two public sources, with Python's standard library only.

usage: make_data.py [--to data/text] [--wordnet /usr/share/wordnet] [--vader vader-sentiment-1.1.3.tgz]

WordNet 3.0 comes with Debian's package wordnet-base. The ratings are the lexicon of VADER (Hutto and Gilbert 2014),
ten people's ratings from -4 to 4 of 7,500 words, as npm's vader-sentiment 1.1.3 ships it: it is fetched once (170 kB,
checked by its sha256) unless --vader names the file.

  definitions.jsonl, definitions-heldout.jsonl   {"prompt": "define W", "response": its definition}
  ratings.jsonl, ratings-heldout.jsonl           the same with "score": the mean rating of W
  prompts.jsonl, prompts-heldout.jsonl           {"prompt": "define W"}
  text.txt                                       the training lines as text, for `slipstream tokenizer train`
  lexicon.tsv                                    word and mean rating, for report.py

Selection: words of small letters a to z; of each the first sense of the part of speech that has most tagged senses;
of its gloss what stands before the first semicolon, example or remark in brackets, with 3 to 43 letters for
definitions (up to 100 for ratings) and without W itself. Inflected words of the lexicon take the definition of their
base form. Held out is a tenth: whole groups of words with the same first five letters, so that no base form is
trained on beside its held-out plural. The same sources give the same bytes; files that are there are left alone.
"""
import argparse
import hashlib
import io
import json
import os
import re
import tarfile
import urllib.request
from pathlib import Path

VADER_URL = "https://registry.npmjs.org/vader-sentiment/-/vader-sentiment-1.1.3.tgz"
VADER_SHA256 = "de3c50aee6ffe2bc7929f50a69b0a3905d7b63f6fb103c2397517aff799851d2"
PARTS = ("noun", "verb", "adj", "adv")
ENDINGS = {  # as WordNet's own morphology has them
    "noun": (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
             ("ies", "y")),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e"), ("ier", "y"), ("iest", "y")),
    "adv": (),
}
LONGEST, LONGEST_RATED = 43, 100


def held_out(word):
    return int(hashlib.sha256(word[:5].encode()).hexdigest()[:8], 16) % 10 == 0


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [line for line in file if not line.startswith(" ")]


def read_definitions(folder):
    """By word: (part of speech, first part of the gloss) of the sense that is chosen."""
    glosses = {}
    for part in PARTS:
        for line in lines_of(folder / f"data.{part}"):
            left, gloss = line.split(" | ", 1)
            glosses[part, left.split()[0]] = gloss
    best = {}
    for part in PARTS:
        for line in lines_of(folder / f"index.{part}"):
            fields = line.split()
            word, pointers = fields[0], int(fields[3])
            tagged, first_sense = int(fields[5 + pointers]), fields[6 + pointers]
            if re.fullmatch("[a-z]{2,}", word) and (word not in best or tagged > best[word][0]):
                best[word] = (tagged, part, short(glosses[part, first_sense]))
    return {word: (part, gloss) for word, (_, part, gloss) in best.items()}


def short(gloss):
    gloss = re.sub(r"\([^)]*\)", " ", gloss)
    return " ".join(re.split(r'[;"]', gloss)[0].split()).strip(" :,-")


def usable(word, gloss, longest):
    return 3 <= len(gloss) <= longest and word not in re.findall("[a-z]+", gloss.lower()) and gloss.isascii()


def base_form(word, definitions, exceptions):
    if word in definitions:
        return word
    for part in PARTS:
        candidates = exceptions[part].get(word, [])
        candidates += [word[:len(word) - len(end)] + new for end, new in ENDINGS[part] if word.endswith(end)]
        for candidate in candidates:
            if candidate in definitions and definitions[candidate][0] == part:
                return candidate
    return None


def read_exceptions(folder):
    return {part: {line.split()[0]: line.split()[1:] for line in lines_of(folder / f"{part}.exc")} for part in PARTS}


def read_lexicon(path, cache):
    """By word: its mean rating. Fetches the package into `cache` when no path is given."""
    path = Path(path) if path else cache / VADER_URL.rsplit("/", 1)[1]
    if not path.exists():
        print(f"fetching {VADER_URL}")
        with urllib.request.urlopen(VADER_URL, timeout=60) as answer:
            write(path, answer.read())
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != VADER_SHA256:
        raise SystemExit(f"{path}: error: this is not vader-sentiment 1.1.3 (its sha256 differs); remove the file")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        text = archive.extractfile("package/vader_lexicon.txt").read().decode()
    ratings = {}
    for line in text.splitlines():
        word, mean, _, given = line.split("\t")[:4]
        given = json.loads(given)
        assert len(given) == 10, line
        ratings[word] = float(mean)
    return ratings


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(data)
    os.replace(aside, path)


def write_rows(path, rows):
    write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    print(f"{path}: {len(rows)} rows")


def make(to, wordnet, vader):
    definitions, exceptions = read_definitions(wordnet), read_exceptions(wordnet)
    lexicon = read_lexicon(vader, to)
    shown = {word: gloss for word, (_, gloss) in sorted(definitions.items()) if usable(word, gloss, LONGEST)}
    rated = []
    for word, score in sorted(lexicon.items()):
        base = base_form(word, definitions, exceptions) if re.fullmatch("[a-z]{2,}", word) else None
        if base and usable(word, definitions[base][1], LONGEST_RATED):
            rated.append((base, {"prompt": f"define {word}", "response": definitions[base][1], "score": score}))
    for name, keep in (("", lambda word: not held_out(word)), ("-heldout", held_out)):
        rows = [{"prompt": f"define {word}", "response": gloss} for word, gloss in shown.items() if keep(word)]
        write_rows(to / f"definitions{name}.jsonl", rows)
        write_rows(to / f"ratings{name}.jsonl", [row for base, row in rated if keep(base)])
        step = 1 if not name else 16
        write_rows(to / f"prompts{name}.jsonl", [{"prompt": row["prompt"]} for row in rows[::step]])
        if not name:
            write(to / "text.txt", "".join(f"{row['prompt']} {row['response']}\n" for row in rows).encode())
    write(to / "lexicon.tsv", "".join(f"{word}\t{score}\n" for word, score in sorted(lexicon.items())
                                      if re.fullmatch("[a-z]{2,}", word)).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("data/text"))
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--vader", default="")
    options = parser.parse_args()
    if (options.to / "lexicon.tsv").exists():  # the last file that is written
        print(f"{options.to} is there already; nothing was changed")
        return
    if not (options.wordnet / "index.noun").exists():
        raise SystemExit(f"{options.wordnet}: error: WordNet is not there; apt-get install wordnet-base")
    make(options.to, options.wordnet, options.vader)


if __name__ == "__main__":
    main()

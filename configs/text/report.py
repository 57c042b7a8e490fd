#!/usr/bin/env python3
"""Compares two results of `slipstream eval` with an evaluator.answers: before and after RLHF.

usage: report.py BEFORE.json AFTER.json --lexicon data/text/lexicon.tsv [--summary RUN_FOLDER/summary.json]

Prints a Markdown table and ten answers of each (to the same prompts). Besides the evaluator's figures there is a
sentiment that no model has learned: the mean rating of an answer's words in the lexicon (VADER's, from -4 to 4; words
that it lacks do not count, a rating within three words after a negation counts -0.74 times, as VADER has it), and the
share of answers with at least one such word. Words are counted over all answers that the results show: evaluate with
--set actors.heldout.show=100000.
"""
import argparse
import json
import re

NEGATIONS = set("no not never none nothing nowhere nor neither without hardly cannot".split())


def sentiment(text, lexicon):
    """Mean rating of the rated words; None without one."""
    words, ratings = re.findall(r"[a-z']+", text.lower()), []
    for at, word in enumerate(words):
        if word in lexicon:
            negated = any(w in NEGATIONS or w.endswith("n't") for w in words[max(at - 3, 0):at])
            ratings.append(lexicon[word] * (-0.74 if negated else 1.0))
    return sum(ratings) / len(ratings) if ratings else None


def distinct(texts, n):
    grams = [tuple(words[i:i + n]) for words in (text.split() for text in texts) for i in range(len(words) - n + 1)]
    return len(set(grams)) / max(len(grams), 1)


def figures(result, lexicon):
    result = result["eval"]
    texts = [answer["answer"] for answer in result["answers"]]
    felt = [value for value in (sentiment(text, lexicon) for text in texts) if value is not None]
    return [
        ("reward, mean (deviation)", f"{result['reward_mean']:.3f} ({result['reward_std']:.3f})"),
        ("lexicon sentiment, mean", f"{sum(felt) / max(len(felt), 1):.3f}"),
        ("answers with a rated word", f"{len(felt) / len(texts):.3f}"),
        ("distinct-1, -2, -3", ", ".join(f"{distinct(texts, n):.3f}" for n in (1, 2, 3))),
        ("distinct answers", f"{result['distinct_answers']:.3f}"),
        ("tokens, mean", f"{result['length_mean']:.1f}"),
        ("cut off", f"{result['truncated']:.3f}"),
        ("answers", f"{len(texts)}"),
    ]


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--lexicon", required=True)
    parser.add_argument("--summary")
    parser.add_argument("--samples", type=int, default=10)
    options = parser.parse_args()
    with open(options.lexicon, encoding="utf-8") as file:
        lexicon = {word: float(rating) for word, rating in (line.split("\t") for line in file)}
    before, after = read(options.before), read(options.after)
    print("| | before | after |\n|---|---|---|")
    for (name, old), (_, new) in zip(figures(before, lexicon), figures(after, lexicon)):
        print(f"| {name} | {old} | {new} |")
    if options.summary:
        print(f"| KL to the SFT model, nats a token, last update | 0 | {read(options.summary)['kl']:.3f} |")
    old, new = before["eval"]["answers"], after["eval"]["answers"]
    step = max(len(new) // options.samples, 1)
    print("\n| prompt | before | after |\n|---|---|---|")
    for one, other in list(zip(old, new))[::step][:options.samples]:
        cells = [text.replace("|", "\\|").replace("\n", " ") for text in (one["prompt"], one["answer"], other["answer"])]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

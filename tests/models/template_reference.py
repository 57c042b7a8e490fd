#!/usr/bin/env python3
"""Chat templates as jinja2 renders them, set up as transformers sets it up, beside what ours renders.

usage: template_reference.py PROGRAM [--fuzz N] [--seed S]   compares; PROGRAM is render_templates
       template_reference.py --write                         writes tests/data/templates/rendered.json

Exit code 77 when jinja2 is absent.
"""
import argparse
import datetime
import json
import subprocess
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from template_cases import DIALOGUES, EXTRAS, SNIPPETS, TOKENS, X
from template_fuzz import random_case

DATA = Path(__file__).parent.parent / "data" / "templates"
warnings.simplefilter("ignore")  # Python's, about generated code
MOMENT = "2026-03-07 09:05:02"

try:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("SKIPPED: python3-jinja2 is not installed, so nothing was compared")
    sys.exit(77)


class Generation(jinja2.ext.Extension):
    """{% generation %}, with the characters that it made."""
    tags = {"generation"}

    def __init__(self, environment):
        super().__init__(environment)
        self.texts = []

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_made")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _made(self, context, caller):
        made = caller()
        self.texts.append(made)
        return made


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                         extensions=[Generation, jinja2.ext.loopcontrols])
    moment = datetime.datetime.fromisoformat(MOMENT)
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = moment.strftime
    return made


def expected(template, inputs):
    """{"text", "generated"} or {"error"}, as jinja2 has it."""
    try:
        env = environment()
        text = env.from_string(template).render(**inputs)
        tracker = next(e for e in env.extensions.values() if isinstance(e, Generation))
        text.encode()
        return {"text": text, "generated": tracker.texts}
    except Exception as e:  # whatever Python raises inside of a template
        return {"error": f"{type(e).__name__}: {e}"}


class Ours:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def of(self, template, inputs):
        self.process.stdin.write(json.dumps({"template": template, "inputs": inputs, "moment": MOMENT}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the program ended at {template!r} with {json.dumps(inputs)}")
        made = json.loads(line)
        if "text" in made:
            raw = made["text"].encode()
            made["generated"] = [raw[a:b].decode() for a, b in made["spans"]]
        return made


def family_cases():
    """(name, template, inputs) for every family and dialogue."""
    for file in sorted(DATA.glob("*.jinja")):
        for name, dialogue in DIALOGUES.items():
            for answer in (False, True):
                inputs = dict(TOKENS, messages=dialogue, tools=None, documents=None, add_generation_prompt=answer)
                inputs.update(EXTRAS.get(name, {}))
                yield f"{file.stem}/{name}/{'prompt' if answer else 'whole'}", file.read_text(), inputs


def snippet_cases():
    for number, (template, inputs) in enumerate(SNIPPETS):
        yield f"snippet {number}", template, inputs


def write():
    families = {}
    for name, template, inputs in family_cases():
        made = expected(template, inputs)
        families[name] = None if "error" in made else made["text"]
    snippets = []
    for _, template, inputs in snippet_cases():
        made = expected(template, inputs)
        snippets.append([template, made.get("text")])
    content = {"about": "by tests/models/template_reference.py --write, from jinja2; null: it raises",
               "moment": MOMENT, "dialogues": DIALOGUES, "tokens": TOKENS, "extras": EXTRAS,
               "families": families, "variables": X, "snippets": snippets}
    text = json.dumps(content, ensure_ascii=False, indent=0)
    (DATA / "rendered.json").write_text(text + "\n")


def compare(cases, ours, tolerant=False):
    """Prints differences; (equal, refused by both, refused by ours only, wrong)."""
    counts = {"equal": 0, "refused": 0, "not supported": 0, "wrong": 0}
    for name, template, inputs in cases:
        theirs, made = expected(template, inputs), ours.of(template, inputs)
        if "error" in theirs and "error" in made:
            counts["refused"] += 1
        elif "error" in made and tolerant and "not supported" in made["error"]:
            counts["not supported"] += 1
        elif "error" in theirs or "error" in made or theirs["text"] != made["text"] or (
                made["known"] and theirs["generated"] != made["generated"]):
            counts["wrong"] += 1
            print(f"{name}: {template!r}\n  with {json.dumps(inputs, ensure_ascii=False)[:600]}\n  theirs {theirs}\n"
                  f"  ours   {made}")
        else:
            counts["equal"] += 1
    return counts


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program", nargs="?")
    options.add_argument("--write", action="store_true")
    options.add_argument("--fuzz", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    if asked.write:
        return write()
    ours = Ours(asked.program)
    families = compare(family_cases(), ours)
    print("families:", families)
    snippets = compare(snippet_cases(), ours)
    print("snippets:", snippets)
    random = compare((random_case(asked.seed, i) for i in range(asked.fuzz)), ours, tolerant=True)
    print("random:", random)
    return 1 if families["wrong"] or snippets["wrong"] or random["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())

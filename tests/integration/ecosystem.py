"""What `slipstream run` trains and `slipstream export` writes is what an independent reader computes with."""
import json
import pathlib
import subprocess
import sys
import tempfile

source, program = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(source / "tests" / "support"))
from reference_reader import Model, read_safetensors  # noqa: E402

failures = []


def check(what, good):
    print(("ok      " if good else "FAILED  ") + what, flush=True)
    if not good:
        failures.append(what)


def slipstream(*arguments, stdin="", code=0):
    done = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=300)
    if done.returncode != code:
        raise SystemExit("slipstream %s: exit code %d\n%s" % (arguments, done.returncode, done.stderr))
    return done.stdout if code == 0 else done.stderr


def scores(folder, lines):
    text = slipstream("score", "--model", folder, stdin="".join(json.dumps(line) + "\n" for line in lines))
    return [json.loads(line) for line in text.splitlines()]


def farthest(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def check_reader():
    """The reader itself, against transformers' figures."""
    for folder in sorted((source / "tests" / "data" / "golden" / "models").iterdir()):
        expected = read_safetensors(folder / "expected.safetensors")
        model = Model(folder)
        (_, width), ids = expected["input_ids"]
        length = sum(expected["attention_mask"][1][:width])
        row = list(ids[:length])
        if "scores" in expected:
            good = abs(model.score(row) - expected["scores"][1][0]) < 1e-4 * max(map(abs, expected["scores"][1]))
        else:
            vocabulary, values = expected["logits"][0][2], expected["logits"][1]
            mine = model.logits(row)
            good = all(farthest(mine[t], values[t * vocabulary:(t + 1) * vocabulary]) < 2e-4 * max(map(abs, values))
                       for t in range(length))
        check("the reader computes what transformers did: " + folder.name, good)


def topology(name, runs, model, data):
    return f"""[run]
name = "{name}"
updates = 6
folder = "{runs}"
[schedule]
batch = 8
{model}
[actors.demonstrations]
kind = "loader"
dataset = "{data}"
[actors.learner]
kind = "learner"
takes = "demonstrations"
model = "policy"
loss = "sft"
learning_rate = 1e-2
"""


def fresh(architecture):
    keys = "kv_heads = 1\n" if architecture != "gpt2" else ""
    return f"""[models.policy]
architecture = "{architecture}"
alphabet = "0123456789="
hidden_size = 16
intermediate_size = 24
layers = 2
heads = 2
max_positions = 24
{keys}"""


def close_to_reader(folder, lines):
    reader = Model(folder)
    return all(farthest(got["logprobs"][1:], reader.logprobs(line["ids"])) < 2e-5 * 10
               for got, line in zip(scores(folder, lines), lines))


def check_runs(place):
    data = place / "demonstrations.jsonl"
    data.write_text("".join(json.dumps({"prompt": "%d=" % i, "response": str(i)[::-1]}) + "\n" for i in range(40)))
    lines = [{"ids": [3, 7, 13, 5, 2]}, {"ids": [4, 4, 4, 9, 13, 1, 2, 3]}]
    for architecture in ["llama", "qwen2", "qwen3", "mistral", "gpt2"]:
        file = place / (architecture + ".toml")
        file.write_text(topology(architecture, place / "runs", fresh(architecture), data))
        slipstream("run", file)
        run, out = place / "runs" / architecture, place / ("exported-" + architecture)
        slipstream("export", run, "--to", out)
        check(architecture + ": the exported model computes what the independent reader does",
              close_to_reader(out, lines))
        check(architecture + ": export changes nothing",
              scores(out, lines) == scores(run / "checkpoints" / "last", lines))
    return lines, data


def check_forms(place, lines):
    run = place / "runs" / "llama"
    whole = place / "exported-llama"
    slipstream("export", run, "--to", place / "half", "--dtype", "bfloat16")
    check("bfloat16: half the bytes, and the reader agrees",
          (place / "half" / "model.safetensors").stat().st_size * 1.6 <
          (whole / "model.safetensors").stat().st_size and close_to_reader(place / "half", lines))
    check("an existing folder is not overwritten",
          "is there already" in slipstream("export", run, "--to", whole, code=2))
    facts = json.loads(slipstream("inspect", whole, "--json"))
    count = sum(len(values) for _, values in read_safetensors(whole / "model.safetensors").values())
    check("inspect counts the parameters that are stored",
          facts["parameters"] == count == sum(facts["parameters_by_part"].values()))


def check_lora(place, lines, data):
    base = place / "exported-llama"
    model = f'[models.policy]\nfrom = "{base}"\n[models.policy.lora]\nrank = 2\ntargets = ["q_proj", "v_proj", "down_proj"]'
    file = place / "lora.toml"
    file.write_text(topology("lora", place / "runs", model, data))
    slipstream("run", file)
    last = place / "runs" / "lora" / "checkpoints" / "last"
    tensors = read_safetensors(last / "adapter_model.safetensors")
    check("LoRA: only the adapters are saved, in PEFT's names", not (last / "model.safetensors").exists() and
          tensors["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"][0] == [2, 24] and len(tensors) == 12)
    check("LoRA: B has left zero", max(map(abs, tensors[
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"][1])) > 1e-4)
    merged = place / "merged"
    slipstream("export", place / "runs" / "lora", "--to", merged)
    apart, together, before = scores(last, lines), scores(merged, lines), scores(base, lines)
    check("LoRA: after merging as before", all(
        farthest(a["logprobs"][1:], b["logprobs"][1:]) < 1e-5 for a, b in zip(apart, together)))
    check("LoRA: training changed the model", farthest(apart[0]["logprobs"][1:], before[0]["logprobs"][1:]) > 1e-2)
    check("LoRA: the reader agrees with the merged model", close_to_reader(merged, lines))


check_reader()
with tempfile.TemporaryDirectory() as folder:
    example_lines, demonstrations = check_runs(pathlib.Path(folder))
    check_forms(pathlib.Path(folder), example_lines)
    check_lora(pathlib.Path(folder), example_lines, demonstrations)
sys.exit("%d failed" % len(failures) if failures else 0)

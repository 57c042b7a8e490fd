"""Adapters beside PEFT: what it writes is read or refused by name, and what we write it reads, with the same numbers.

python3 peft_reference.py SOURCE_FOLDER PROGRAM; skips (77) without torch, transformers and peft."""
import json, subprocess, sys, tempfile
from pathlib import Path

try:
    import torch, transformers
    from peft import LoraConfig, PeftModel, get_peft_model
except ImportError as missing:
    print(f"Skipped: {missing}")
    sys.exit(77)

transformers.utils.logging.disable_progress_bar()
SOURCE, PROGRAM = Path(sys.argv[1]).resolve(), str(Path(sys.argv[2]).resolve())
IDS = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8]]
CLOSE = 2e-5  # float32 on both sides
CASES = {  # name: (family, options of PEFT, whether it must be read; else refused with the word given)
    "two modules": ("llama", dict(target_modules=["q_proj", "v_proj"]), True),
    "all-linear": ("llama", dict(target_modules="all-linear"), True),
    "rsLoRA": ("llama", dict(target_modules=["q_proj", "down_proj"], use_rslora=True), True),
    "another family": ("qwen2", dict(target_modules=["k_proj", "o_proj", "up_proj"]), True),
    "its third family": ("qwen3", dict(target_modules=["gate_proj"]), True),
    "rank pattern": ("llama", dict(target_modules=["q_proj", "v_proj"], rank_pattern={"q_proj": 2}), "rank_pattern"),
    "alpha pattern": ("llama", dict(target_modules=["q_proj", "v_proj"], alpha_pattern={"q_proj": 2}), "alpha_pattern"),
    "regex": ("llama", dict(target_modules=r".*\.(q|v)_proj"), "target_modules"),
    "one layer": ("llama", dict(target_modules=["q_proj"], layers_to_transform=[0]), "layers_to_transform"),
    "saved head": ("llama", dict(target_modules=["q_proj"], modules_to_save=["lm_head"]), "modules_to_save"),
    "bias": ("qwen2", dict(target_modules=["q_proj"], bias="lora_only"), "bias"),
    "DoRA": ("llama", dict(target_modules=["q_proj"], use_dora=True), "use_dora"),
}


def logprobs(model, ids):
    with torch.no_grad():
        scores = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
    return [scores[i - 1, ids[i]].item() for i in range(1, len(ids))]


def ours(folder):
    lines = "".join(json.dumps({"ids": ids}) + "\n" for ids in IDS)
    done = subprocess.run([PROGRAM, "score", "--model", str(folder)], input=lines, capture_output=True, text=True)
    return done.returncode, [json.loads(line)["logprobs"] for line in done.stdout.splitlines()], done.stderr


def require(condition, what, *seen):
    if not condition:
        sys.exit(f"FAILED: {what}: {seen}")
    print("ok:", what)


def largest_difference(ours_, theirs):
    return max(abs(a - b) for mine, their in zip(ours_, theirs) for a, b in zip(mine[-len(their):], their))


def read_what_peft_writes(folder, name, family, options, expected):
    base = SOURCE / "tests/data/golden/models" / family
    torch.manual_seed(1)
    plain = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    without = [logprobs(plain, ids) for ids in IDS]
    model = get_peft_model(plain, LoraConfig(r=4, lora_alpha=6, init_lora_weights=False, task_type="CAUSAL_LM", **options))
    model.peft_config["default"].base_model_name_or_path = str(base)
    model.save_pretrained(folder)
    theirs = [logprobs(model.eval(), ids) for ids in IDS]
    code, mine, said = ours(folder)
    if expected is True:
        require(code == 0, f"{name}: read", said)
        difference = largest_difference(mine, theirs)
        require(difference < CLOSE, f"{name}: log-probabilities as PEFT's ({difference:.1e})")
        require(largest_difference(mine, without) > 100 * CLOSE, f"{name}: the adapter counts")
    else:
        require(code == 2 and expected in said, f"{name}: refused by name", code, said)


TOPOLOGY = """[run]
name = "{name}"
folder = "runs"
updates = 6
[schedule]
batch = 4
[models.policy]
{model}
[actors.data]
kind = "loader"
dataset = "data.jsonl"
[actors.learner]
kind = "learner"
takes = "data"
model = "policy"
loss = "sft"
learning_rate = 3e-2
"""
NEW = """architecture = "llama"
alphabet = "0123456789="
hidden_size = 16
intermediate_size = 24
layers = 2
heads = 2
max_positions = 24"""
ADAPTED = """from = "run:base"
[models.policy.lora]
rank = 3
alpha = 5
{targets}"""


def write_what_peft_reads(folder):
    rows = [{"prompt": f"{i}=", "response": str(i)} for i in range(20)]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = {"base": NEW, "all": ADAPTED.format(targets=""), "some": ADAPTED.format(targets='targets = ["q_proj", "up_proj"]')}
    for name, model in runs.items():
        (folder / f"{name}.toml").write_text(TOPOLOGY.format(name=name, model=model))
        done = subprocess.run([PROGRAM, "run", f"{name}.toml"], cwd=folder, capture_output=True, text=True)
        require(done.returncode == 0, f"the run {name}", done.stderr)
    base = folder / "runs/base/checkpoints/last"
    without = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = [logprobs(without, ids) for ids in IDS]
    for name in ("all", "some"):
        written = folder / "runs" / name / "checkpoints/last"
        plain = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        theirs = [logprobs(PeftModel.from_pretrained(plain, written).eval(), ids) for ids in IDS]
        code, mine, said = ours(written)
        difference = largest_difference(mine, theirs)
        require(code == 0 and difference < CLOSE, f"the adapter of run {name}, read by PEFT ({difference:.1e})", said)
        require(largest_difference(mine, before) > 100 * CLOSE, f"the adapter of run {name} counts")


def main():
    with tempfile.TemporaryDirectory() as place:
        for number, (name, case) in enumerate(CASES.items()):
            read_what_peft_writes(Path(place) / str(number), name, *case)
        write_what_peft_reads(Path(place))


main()

"""A reader of Hugging Face folders that shares nothing with Slipstream: the standard library only, in double precision.

reader = Model(folder); reader.logits(ids) gives the logits after every token, reader.scores(ids) a reward model's score.
Llama, Mistral, Qwen2, Qwen3 (rope_type default, linear, llama3) and GPT-2; safetensors F32, F16 and BF16, sharded or not.
"""
import json
import math
import pathlib
import struct


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8:8 + length]), raw[8 + length:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        part = data[begin:end]
        if entry["dtype"] == "F32":
            values = struct.unpack("<%df" % (len(part) // 4), part)
        elif entry["dtype"] == "F16":
            values = struct.unpack("<%de" % (len(part) // 2), part)
        elif entry["dtype"] == "BF16":
            values = [struct.unpack("<f", b"\0\0" + part[i:i + 2])[0] for i in range(0, len(part), 2)]
        elif entry["dtype"] == "I64":
            values = struct.unpack("<%dq" % (len(part) // 8), part)
        else:
            raise ValueError(entry["dtype"])
        tensors[name] = (entry["shape"], values)
    return tensors


def matrix(tensor):
    (rows, columns), values = tensor
    return [values[i * columns:(i + 1) * columns] for i in range(rows)]


def transposed(rows):
    return [list(column) for column in zip(*rows)]


def apply(rows, x, bias=None):
    y = [sum(a * b for a, b in zip(row, x)) for row in rows]
    return [a + b for a, b in zip(y, bias)] if bias else y


def softmax(x):
    top = max(x)
    e = [math.exp(v - top) for v in x]
    total = sum(e)
    return [v / total for v in e]


class Model:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        index = folder / "model.safetensors.index.json"
        names = ["model.safetensors"]
        if index.exists():
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        self.tensors = {}
        for name in names:
            self.tensors.update(read_safetensors(folder / name))
        c = self.config
        self.gpt2 = c["model_type"] == "gpt2"
        self.heads = c["n_head"] if self.gpt2 else c["num_attention_heads"]
        self.kv_heads = self.heads if self.gpt2 else c.get("num_key_value_heads", self.heads)
        self.width = c["n_embd"] if self.gpt2 else c["hidden_size"]
        self.dim = c.get("head_dim") or self.width // self.heads
        self.layers = c["n_layer"] if self.gpt2 else c["num_hidden_layers"]
        self.eps = c["layer_norm_epsilon"] if self.gpt2 else c["rms_norm_eps"]
        self.cache = {}

    def weight(self, name):
        if name not in self.cache:
            shape, values = self.tensors[name]
            rows = matrix((shape, values)) if len(shape) == 2 else values
            if self.gpt2 and ".h." in name and len(shape) == 2:
                rows = transposed(rows)
            self.cache[name] = rows
        return self.cache[name]

    def linear(self, name, x):
        bias = self.weight(name + ".bias") if name + ".bias" in self.tensors else None
        return apply(self.weight(name + ".weight"), x, bias)

    def norm(self, name, x):
        gain = self.weight(name + ".weight")
        if not self.gpt2:
            scale = 1 / math.sqrt(sum(v * v for v in x) / len(x) + self.eps)
            return [v * scale * g for v, g in zip(x, gain)]
        mean = sum(x) / len(x)
        scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + self.eps)
        return [(v - mean) * scale * g + b for v, g, b in zip(x, gain, self.weight(name + ".bias"))]

    def frequencies(self):
        c = self.config
        rope = c.get("rope_parameters") or c.get("rope_scaling") or {}
        theta = rope.get("rope_theta", c.get("rope_theta", 10000.0))
        kind, result = rope.get("rope_type", rope.get("type", "default")), []
        for i in range(self.dim // 2):
            f = theta ** (-2 * i / self.dim)
            if kind == "linear":
                f /= rope["factor"]
            elif kind == "llama3":
                old, low, high = (rope["original_max_position_embeddings"], rope["low_freq_factor"],
                                  rope["high_freq_factor"])
                length = 2 * math.pi / f
                if length > old / low:
                    f /= rope["factor"]
                elif length > old / high:
                    smooth = (old / length - low) / (high - low)
                    f = (1 - smooth) * f / rope["factor"] + smooth * f
            result.append(f)
        return result

    def rotate(self, x, position):
        half, out = self.dim // 2, list(x)
        for i, f in enumerate(self.frequencies()):
            c, s = math.cos(position * f), math.sin(position * f)
            out[i], out[i + half] = x[i] * c - x[i + half] * s, x[i + half] * c + x[i] * s
        return out

    def parts(self, layer, x, position):
        if self.gpt2:
            all_of_it = self.linear(layer + "attn.c_attn", x)
            q, k, v = (all_of_it[i * self.width:(i + 1) * self.width] for i in range(3))
        else:
            q, k, v = (self.linear(layer + "self_attn.%s_proj" % name, x) for name in "qkv")
        split = lambda y: [y[i:i + self.dim] for i in range(0, len(y), self.dim)]
        q, k, v = split(q), split(k), split(v)
        if layer + "self_attn.q_norm.weight" in self.tensors:
            q = [self.norm(layer + "self_attn.q_norm", h) for h in q]
            k = [self.norm(layer + "self_attn.k_norm", h) for h in k]
        if not self.gpt2:
            q, k = [self.rotate(h, position) for h in q], [self.rotate(h, position) for h in k]
        return q, k, v

    def attend(self, q, keys, values):
        out = []
        for h, head in enumerate(q):
            own = h * self.kv_heads // self.heads
            scores = [sum(a * b for a, b in zip(head, k[own])) / math.sqrt(self.dim) for k in keys]
            weights = softmax(scores)
            out += [sum(w * v[own][d] for w, v in zip(weights, values)) for d in range(self.dim)]
        return out

    def mlp(self, layer, x):
        if self.gpt2:
            gelu = lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))
            return self.linear(layer + "mlp.c_proj", [gelu(v) for v in self.linear(layer + "mlp.c_fc", x)])
        gate, up = self.linear(layer + "mlp.gate_proj", x), self.linear(layer + "mlp.up_proj", x)
        return self.linear(layer + "mlp.down_proj", [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)])

    def hidden(self, ids):
        base, block = ("transformer.", "transformer.h.%d.") if self.gpt2 else ("model.", "model.layers.%d.")
        names = ("ln_1", "attn.c_proj", "ln_2", "ln_f") if self.gpt2 else (
            "input_layernorm", "self_attn.o_proj", "post_attention_layernorm", "norm")
        table = self.weight(base + ("wte.weight" if self.gpt2 else "embed_tokens.weight"))
        rows = [list(table[i]) for i in ids]
        if self.gpt2:
            rows = [[a + b for a, b in zip(row, self.weight("transformer.wpe.weight")[t])] for t, row in enumerate(rows)]
        for i in range(self.layers):
            layer, keys, values = block % i, [], []
            for t, x in enumerate(rows):
                q, k, v = self.parts(layer, self.norm(layer + names[0], x), t)
                keys.append(k)
                values.append(v)
                seen = self.linear(layer + names[1], self.attend(q, keys, values))
                x = [a + b for a, b in zip(x, seen)]
                rows[t] = [a + b for a, b in zip(x, self.mlp(layer, self.norm(layer + names[2], x)))]
        return [self.norm(base + names[3], x) for x in rows]

    def logits(self, ids):
        head = "lm_head.weight"
        if head not in self.tensors:
            head = "transformer.wte.weight" if self.gpt2 else "model.embed_tokens.weight"
        return [apply(self.weight(head), x) for x in self.hidden(ids)]

    def score(self, ids):
        return apply(self.weight("score.weight"), self.hidden(ids)[-1])[0]

    def logprobs(self, ids):
        """Of every token but the first, given those before it."""
        result = []
        for x, token in zip(self.logits(ids), ids[1:]):
            top = max(x)
            result.append(x[token] - top - math.log(sum(math.exp(v - top) for v in x)))
        return result

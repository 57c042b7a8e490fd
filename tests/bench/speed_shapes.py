"""Models with random weights for tests/bench/speed.py: a Hugging Face folder, and the same as GGUF for llama.cpp."""
import array
import json
import random
import struct

SHAPES = {  # S: 15 million parameters; M: 110 million; R: SmolLM2's 135 million
    "S": dict(vocab=32000, hidden=288, middle=768, layers=6, heads=6, kv=6),
    "M": dict(vocab=32000, hidden=768, middle=2048, layers=12, heads=12, kv=12),
    "R": dict(vocab=49152, hidden=576, middle=1536, layers=30, heads=9, kv=3),
}
CONTEXT = 8192


def tensors(shape):
    """(Hugging Face name, GGUF name, rows, columns or 0) of every parameter."""
    h, m = shape["hidden"], shape["middle"]
    kv = h // shape["heads"] * shape["kv"]
    yield "model.embed_tokens.weight", "token_embd.weight", shape["vocab"], h
    yield "model.norm.weight", "output_norm.weight", h, 0
    for i in range(shape["layers"]):
        ours, theirs = f"model.layers.{i}.", f"blk.{i}."
        yield ours + "input_layernorm.weight", theirs + "attn_norm.weight", h, 0
        yield ours + "post_attention_layernorm.weight", theirs + "ffn_norm.weight", h, 0
        yield ours + "self_attn.q_proj.weight", theirs + "attn_q.weight", h, h
        yield ours + "self_attn.k_proj.weight", theirs + "attn_k.weight", kv, h
        yield ours + "self_attn.v_proj.weight", theirs + "attn_v.weight", kv, h
        yield ours + "self_attn.o_proj.weight", theirs + "attn_output.weight", h, h
        yield ours + "mlp.gate_proj.weight", theirs + "ffn_gate.weight", m, h
        yield ours + "mlp.up_proj.weight", theirs + "ffn_up.weight", m, h
        yield ours + "mlp.down_proj.weight", theirs + "ffn_down.weight", h, m


def values():
    """Yields float32 bytes by the number asked for: ones for norms, else a long list of normal numbers, over again."""
    generator = random.Random(1)
    stock = array.array("f", (generator.gauss(0, 0.02) for _ in range(1_000_003))).tobytes()

    def some(count, norm):
        if norm:
            return array.array("f", [1.0] * count).tobytes()
        return (stock * (count * 4 // len(stock) + 1))[: count * 4]

    return some


def write_folder(folder, shape):
    """config.json and model.safetensors."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "max_position_embeddings": CONTEXT, "tie_word_embeddings": True, "torch_dtype": "float32",
        "bos_token_id": 1, "eos_token_id": 2, "vocab_size": shape["vocab"], "hidden_size": shape["hidden"],
        "intermediate_size": shape["middle"], "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"], "num_key_value_heads": shape["kv"]}))
    header, at = {}, 0
    for name, _, rows, columns in tensors(shape):
        size = rows * max(columns, 1) * 4
        header[name] = {"dtype": "F32", "shape": [rows] + ([columns] if columns else []), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    some = values()
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, _, rows, columns in tensors(shape):
            out.write(some(rows * max(columns, 1), not columns))


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def write_gguf(file, shape):
    """Version 3, float32, without a vocabulary."""
    keys = [("general.architecture", "llama"), ("general.name", "random"), ("tokenizer.ggml.model", "no_vocab"),
            ("llama.vocab_size", shape["vocab"]), ("llama.context_length", CONTEXT),
            ("llama.embedding_length", shape["hidden"]), ("llama.feed_forward_length", shape["middle"]),
            ("llama.block_count", shape["layers"]), ("llama.attention.head_count", shape["heads"]),
            ("llama.attention.head_count_kv", shape["kv"]), ("llama.attention.layer_norm_rms_epsilon", 1e-5),
            ("llama.rope.dimension_count", shape["hidden"] // shape["heads"])]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(list(tensors(shape))), len(keys))
    for name, value in keys:
        head += gguf_text(name)
        if isinstance(value, str):
            head += struct.pack("<I", 8) + gguf_text(value)
        elif isinstance(value, float):
            head += struct.pack("<If", 6, value)
        else:
            head += struct.pack("<II", 4, value)
    at = 0
    for _, name, rows, columns in tensors(shape):
        sizes = [columns, rows] if columns else [rows]
        head += gguf_text(name) + struct.pack("<I", len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
        head += struct.pack("<IQ", 0, at)
        at += (rows * max(columns, 1) * 4 + 31) // 32 * 32
    some = values()
    with open(file, "wb") as out:
        out.write(head + b"\0" * (-len(head) % 32))
        for _, _, rows, columns in tensors(shape):
            data = some(rows * max(columns, 1), not columns)
            out.write(data + b"\0" * (-len(data) % 32))

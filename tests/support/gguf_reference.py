#!/usr/bin/env python3
"""Writes tests/data/gguf: one tensor of each type in a GGUF file, and the numbers that gguf-py makes of them.

usage: gguf_reference.py FOLDER     needs the Python packages gguf and numpy
"""
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

ROWS, WIDTH = 3, 512
TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K]
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208]}


def stored(random, kind):
    """Random bytes of a type, with scales that are finite halves (subnormal ones among them)."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if kind == T.F32:
        return random.standard_normal((ROWS, WIDTH)).astype(np.float32)
    if kind == T.F16:
        return random.standard_normal((ROWS, WIDTH)).astype(np.float16)
    if kind == T.BF16:
        return (random.standard_normal((ROWS, WIDTH)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    data = random.integers(0, 256, (ROWS, WIDTH // block, size), dtype=np.uint8)
    for at in HALVES[kind]:
        scales = random.standard_normal((ROWS, WIDTH // block, 1)) * 10.0 ** random.integers(-7, 1, (ROWS, WIDTH // block, 1))
        data[:, :, at : at + 2] = scales.astype(np.float16).view(np.uint8)
    return data.reshape(ROWS, -1)


def main():
    folder = Path(sys.argv[1])
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(folder / "types.gguf", "llama")
    numbers = []
    for kind in TYPES:
        data = stored(random, kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        numbers.append(gguf.dequantize(data, kind).astype(np.float32).reshape(-1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    np.concatenate(numbers).tofile(folder / "types.f32")


if __name__ == "__main__":
    main()

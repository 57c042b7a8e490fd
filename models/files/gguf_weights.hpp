#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/files/gguf/file.hpp"
#include "models/network/spec.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {

/// Finds every parameter of a layout in a GGUF file. Throws input_error naming tensor and reason: missing, of
/// another shape, of a type that is not supported, or without a place in the network. `optional_head`:
/// score.weight may be missing, as it always is.
void match_gguf(const gguf_file &file, const model_spec &spec, bool optional_head);

/// Copies the parameters into `flat` [parameter_count(spec)] as float32, in Hugging Face's order of rows; a
/// head that is missing becomes zeros. Throws input_error for a number that is not finite.
void read_gguf(const gguf_file &file, const model_spec &spec, const at::Tensor &flat);

/// How the rows of a parameter stand in a file of llama.cpp: row r of the file is row `order[r]` here. Empty
/// where they stand alike.
std::vector<std::int64_t> gguf_row_order(const model_spec &spec, const std::string &parameter, bool permuted);

}  // namespace slipstream

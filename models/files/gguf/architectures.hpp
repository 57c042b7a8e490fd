#pragma once

#include <string>
#include <string_view>

#include "models/files/gguf/file.hpp"
#include "models/network/families.hpp"

namespace slipstream {

/// What llama.cpp calls a family of networks, and how its files differ from Hugging Face's.
struct gguf_architecture {
  const char *name;          ///< general.architecture
  const char *model_type;    ///< a row of families.hpp
  bool permuted = false;     ///< the rows of queries and keys pair up for ggml's rotation
  bool learned = false;      ///< positions; norms with biases, an epsilon under another key
  bool bias_of_qkv = false;  ///< biases of queries, keys and values are part of the family
};

/// The row of general.architecture. Throws input_error naming those that are supported.
const gguf_architecture &find_architecture(const gguf_file &file);
/// The architecture under which a model_type is exported; null where the export does not support it.
const gguf_architecture *architecture_to_write(std::string_view model_type);

/// The tensor of a GGUF file that holds the parameter of that name ("model.layers.0.mlp.up_proj.weight" is
/// "blk.0.ffn_up.weight"); empty for a parameter that such files do not have.
std::string gguf_tensor_name(const family &row, const std::string &parameter);

}  // namespace slipstream

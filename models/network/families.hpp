#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/network/spec.hpp"

namespace slipstream {

/// What config.json calls the sizes of a family.
struct config_names {
  const char *hidden_size, *intermediate_size, *layers, *heads, *max_positions, *norm_eps, *activation;
};

/// What safetensors files call a family's parameters, ".weight" and ".bias" left out.
struct tensor_names {
  const char *embedding, *positions;  ///< positions: null where they are rotary
  const char *layer;                  ///< followed by the layer's number and a dot
  const char *attention_norm;
  std::vector<const char *> queries_keys_values;  ///< three matrices, or one that holds all
  const char *output, *mlp_norm;
  std::vector<const char *> up;  ///< what reads the MLP's input: gate and up, or one
  const char *down, *norm;
  bool transposed;  ///< matrices are stored [in, out]
};

enum class attention_biases { none, as_config_says, queries_keys_values, all };

/// One supported model_type: names, and what transformers assumes where config.json is silent.
struct family {
  const char *model_type, *language_model, *classifier, *base;
  config_names config;
  tensor_names tensors;
  norm_kind norm;
  position_kind positions;
  activation_kind activation;
  attention_biases biases;
  bool mlp_bias_in_config, qk_norm, tied;          ///< tied: where config.json does not say
  std::int64_t kv_heads, head_dim, max_positions;  ///< 0: heads; hidden_size / heads
  std::int64_t window;                             ///< sliding_window where config.json does not name it
};

std::span<const family> families();
/// Null when there is none.
const family *find_family(std::string_view model_type);
/// "llama, mistral, …"
std::string family_names();

/// Sets what the family alone decides: norm, positions, activation, biases, and model_type itself.
void apply_family(const family &row, model_spec &spec);

}  // namespace slipstream

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/network/families.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

json token(std::int64_t id) {
  return id < 0 ? json(nullptr) : json(id);
}

// In both spellings: rope_theta and rope_scaling of transformers 4, rope_parameters of transformers 5.
void write_rope(const model_spec &spec, json &config) {
  json table{{"rope_type", "default"}};
  if (spec.rope.type != rope_scaling::kind::none) {
    const bool linear = spec.rope.type == rope_scaling::kind::linear;
    table = {{"rope_type", linear ? "linear" : "llama3"}, {"factor", spec.rope.factor}};
    if (!linear) {
      table["low_freq_factor"] = spec.rope.low_freq_factor;
      table["high_freq_factor"] = spec.rope.high_freq_factor;
      table["original_max_position_embeddings"] = static_cast<std::int64_t>(spec.rope.original_max_positions);
    }
    config["rope_scaling"] = table;
  }
  config["rope_theta"] = spec.rope_theta;
  table["rope_theta"] = spec.rope_theta;
  config["rope_parameters"] = table;
}

void write_windows(const family &row, const model_spec &spec, json &config) {
  std::int64_t window = 0;
  json types = json::array();
  for (std::int64_t i = 0; i < spec.layers; ++i) {
    window = std::max(window, spec.window(i));
    types.push_back(spec.window(i) > 0 ? "sliding_attention" : "full_attention");
  }
  if (row.window > 0) {
    config["sliding_window"] = window > 0 ? json(window) : json(nullptr);
  } else if (window > 0) {
    config.update({{"use_sliding_window", true}, {"sliding_window", window}, {"layer_types", types}});
    std::int64_t first = 0;
    while (first < spec.layers && spec.window(first) == 0) ++first;
    config["max_window_layers"] = first;
  }
}

void write_rotary_fields(const family &row, const model_spec &spec, json &config) {
  config["num_key_value_heads"] = spec.kv_heads;
  config["head_dim"] = spec.head_dim;
  config["attention_dropout"] = 0.0;
  if (row.biases == attention_biases::as_config_says) config["attention_bias"] = spec.qkv_bias;
  if (row.mlp_bias_in_config) config["mlp_bias"] = spec.mlp_bias;
  write_rope(spec, config);
  write_windows(row, spec, config);
}

}  // namespace

json to_config(const model_spec &spec, const std::string &type) {
  const family *row = find_family(spec.model_type);
  if (!row) throw input_error("model_type \"" + spec.model_type + "\" is not supported");
  const config_names &names = row->config;
  json config{{"architectures", {spec.labels > 0 ? row->classifier : row->language_model}},
              {"model_type", spec.model_type},
              {"vocab_size", spec.vocab_size},
              {names.hidden_size, spec.hidden_size},
              {names.intermediate_size, spec.intermediate_size},
              {names.layers, spec.layers},
              {names.heads, spec.heads},
              {names.max_positions, spec.max_positions},
              {names.norm_eps, spec.norm_eps},
              {names.activation, spec.activation == activation_kind::silu_gated ? "silu" : "gelu_new"},
              {"tie_word_embeddings", spec.tied_embeddings},
              {"bos_token_id", token(spec.bos_token)},
              {"eos_token_id", spec.eos_tokens.size() > 1 ? json(spec.eos_tokens) : token(spec.eos_token())},
              {"pad_token_id", token(spec.pad_token)},
              {"initializer_range", spec.initializer_range},
              {"dtype", type},
              {"torch_dtype", type},
              {"use_cache", true}};
  if (spec.positions == position_kind::rotary) write_rotary_fields(*row, spec, config);
  if (spec.labels > 0) {
    config["id2label"] = {{"0", "LABEL_0"}};
    config["label2id"] = {{"LABEL_0", 0}};
  }
  return config;
}

// Llama 3.1's rule keeps short wavelengths, stretches long ones by the factor, and blends between the two.
std::vector<float> rotary_frequencies(const model_spec &spec) {
  std::vector<float> result;
  const rope_scaling &rope = spec.rope;
  for (std::int64_t i = 0; i < spec.head_dim / 2; ++i) {
    const double share = static_cast<double>(2 * i) / static_cast<double>(spec.head_dim);
    double frequency = 1.0 / std::pow(spec.rope_theta, share);
    if (rope.type == rope_scaling::kind::linear) frequency /= rope.factor;
    if (rope.type == rope_scaling::kind::llama3) {
      const double turns = rope.original_max_positions * frequency / (2.0 * std::numbers::pi);
      const double kept = std::clamp(
          (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
      frequency = (1.0 - kept) * frequency / rope.factor + kept * frequency;
    }
    result.push_back(static_cast<float>(frequency));
  }
  return result;
}

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace slipstream {

/// RMSNorm (Zhang & Sennrich 2019), or LayerNorm with a bias.
enum class norm_kind { rms, layer };
/// Rotary positions (RoFormer, Su et al. 2021), or a learned embedding of each position.
enum class position_kind { rotary, learned };
/// silu(gate) * up (SwiGLU, Shazeer 2020), or gelu in its tanh form ("gelu_new").
enum class activation_kind { silu_gated, gelu_tanh };

/// How rotary frequencies are stretched beyond the context that a model was trained on.
struct rope_scaling {
  enum class kind { none, linear, llama3 };
  kind type = kind::none;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  ///< llama3
  double original_max_positions = 8192;              ///< llama3
  bool operator==(const rope_scaling &) const = default;
};

/// A decoder-only transformer described by data, as Hugging Face's config.json does. `labels` = 1 adds a
/// sequence-classification head `score.weight` [1, hidden].
struct model_spec {
  std::string model_type = "llama";  ///< a row of families.hpp
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;
  norm_kind norm = norm_kind::rms;
  position_kind positions = position_kind::rotary;
  activation_kind activation = activation_kind::silu_gated;
  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
  rope_scaling rope;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;  ///< of the attention's output product
  bool mlp_bias = false;
  bool qk_norm = false;  ///< RMSNorm over each query's and key's head before its rotation
  /// Tokens that each layer's queries see, their own included (sliding window); 0: all. Empty: all,
  /// everywhere.
  std::vector<std::int64_t> windows;
  std::int64_t labels = 0;
  std::int64_t bos_token = -1;
  std::vector<std::int64_t>
      eos_tokens;  ///< a generation ends at any of them; the first ends training answers
  std::int64_t pad_token = -1;
  double initializer_range = 0.02;

  std::int64_t eos_token() const { return eos_tokens.empty() ? -1 : eos_tokens.front(); }
  std::int64_t window(std::int64_t layer) const {
    return windows.empty() ? 0 : windows[static_cast<std::size_t>(layer)];
  }
  bool operator==(const model_spec &) const = default;
};

/// Low-rank adapters (LoRA, Hu et al. 2021; PEFT's adapter_config.json): each target matrix W [out, in] acts
/// as W + scale B A, with A [rank, in] and B [out, rank].
struct adapter_spec {
  std::int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;      ///< scale = alpha / sqrt(rank) (rsLoRA), else alpha / rank
  std::vector<std::string> targets;  ///< last parts of module names, as "q_proj"; "all-linear": every one
  double scale() const;
  bool operator==(const adapter_spec &) const = default;
};

/// Reads a config.json. Throws input_error naming file and field for an unknown model_type, a missing field,
/// or a field that would change the numbers and is not supported.
model_spec read_spec(const std::filesystem::path &config_file);

/// The config.json that transformers loads for this spec; `type` is the dtype of the weights beside it.
nlohmann::json to_config(const model_spec &spec, const std::string &type = "float32");

/// Inverse frequencies [head_dim/2] of the spec's rotary positions, scaled as the spec says.
std::vector<float> rotary_frequencies(const model_spec &spec);

}  // namespace slipstream

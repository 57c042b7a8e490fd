#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace slipstream {

/// A decoder-only transformer described by data, as Hugging Face's config.json does (model_type "llama":
/// RMSNorm, rotary positions, SwiGLU). `labels` = 1 adds a sequence-classification head `score.weight` [1,
/// hidden].
struct model_spec {
  std::string model_type = "llama";
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;
  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
  bool tied_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  std::int64_t labels = 0;
  std::int64_t bos_token = -1;
  std::int64_t eos_token = -1;
  std::int64_t pad_token = -1;
  double initializer_range = 0.02;

  bool operator==(const model_spec &) const = default;
};

/// Reads a config.json. Throws input_error naming file and field for an unknown model_type, a missing field,
/// or a field that would change the numbers and is not supported.
model_spec read_spec(const std::filesystem::path &config_file);

/// The config.json that transformers loads for this spec.
nlohmann::json to_config(const model_spec &spec);

}  // namespace slipstream

#include "models/files/gguf/spec.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "models/files/gguf/architectures.hpp"
#include "models/files/gguf/rope.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t greatest_gguf_size = std::int64_t{1} << 24, most_blocks = 1024;

// Keys of an architecture that are read below, or say nothing about the numbers.
constexpr std::array read_keys{"context_length",
                               "embedding_length",
                               "block_count",
                               "feed_forward_length",
                               "vocab_size",
                               "attention.head_count",
                               "attention.head_count_kv",
                               "attention.key_length",
                               "attention.value_length",
                               "attention.layer_norm_epsilon",
                               "attention.layer_norm_rms_epsilon",
                               "attention.causal",
                               "attention.scale",
                               "attention.sliding_window",
                               "rope.dimension_count",
                               "rope.freq_base",
                               "rope.scale_linear",
                               "rope.scaling.type",
                               "rope.scaling.factor",
                               "rope.scaling.attn_factor",
                               "rope.scaling.original_context_length",
                               "rope.scaling.finetuned",
                               "expert_count",
                               "expert_used_count",
                               "tensor_data_layout",
                               "use_parallel_residual",
                               "leading_dense_block_count"};

class gguf_reading {
 public:
  explicit gguf_reading(const gguf_file &file)
      : file_(file), row_(find_architecture(file)), family_(*find_family(row_.model_type)) {}

  model_spec spec() {
    refuse_split();
    refuse_unknown();
    apply_family(family_, spec_);
    sizes();
    heads();
    positions();
    numbers();
    biases();
    tokens();
    return spec_;
  }

 private:
  std::string key(const std::string &name) const { return std::string(row_.name) + "." + name; }
  [[noreturn]] void refuse(const std::string &name, const std::string &why) const {
    file_.refuse(key(name), why);
  }

  std::int64_t size(const std::string &name, std::optional<std::int64_t> otherwise = {}) const {
    const auto value = file_.whole(key(name));
    if (!value && otherwise) return *otherwise;
    if (!value) refuse(name, "is missing; is it a whole GGUF model?");
    if (*value < 1 || *value > greatest_gguf_size)
      refuse(name, "must be a whole number from 1 to " + std::to_string(greatest_gguf_size) + ", not " +
                       std::to_string(*value));
    return *value;
  }

  double positive(const std::string &name, std::optional<double> otherwise = {}) const {
    const auto value = file_.number(key(name));
    if (!value && otherwise) return *otherwise;
    if (!value) refuse(name, "is missing; is it a whole GGUF model?");
    if (!(*value > 0)) refuse(name, "must be above 0, not " + std::to_string(*value));
    return *value;
  }

  // A key that may hold one number only, as far as these networks go.
  void only(const std::string &name, double value, const std::string &why) const {
    const auto found = file_.number(key(name));
    if (found && std::abs(*found - value) > 1e-6 * std::abs(value))
      refuse(name, std::to_string(*found) + " is not supported (" + why + ")");
  }

  void refuse_split() const {
    const auto parts = file_.whole("split.count");
    if (parts && *parts > 1)
      file_.refuse("split.count",
                   "the model is in " + std::to_string(*parts) +
                       " files, which is not supported; join them with llama-gguf-split --merge");
  }

  bool says_nothing(const gguf_value &value) const {
    return value.type != gguf_value::kind::text && value.type != gguf_value::kind::list &&
           std::all_of(value.bytes.begin(), value.bytes.end(), [](char byte) { return byte == 0; });
  }

  void refuse_unknown() const {
    const std::string prefix = std::string(row_.name) + ".";
    for (const auto &[name, value] : file_.values()) {
      if (!name.starts_with(prefix)) continue;
      const auto rest = name.substr(prefix.size());
      if (std::find(read_keys.begin(), read_keys.end(), rest) == read_keys.end() && !says_nothing(value))
        refuse(rest.substr(0, 80), "is not known here and may change the numbers; remove it if it does not");
    }
    if (const auto experts = file_.whole(key("expert_count")); experts && *experts > 0)
      refuse("expert_count", "mixtures of experts are not supported");
    if (file_.flag(key("attention.causal")) == false)
      refuse("attention.causal", "attention that sees what follows is not supported");
  }

  // A tensor that must be there, of two dimensions.
  const gguf_tensor &table(const char *name, std::int64_t width) const {
    const auto *found = file_.find_tensor(name);
    if (!found) file_.refuse(std::string("tensor ") + name, "is missing; is it a whole GGUF model?");
    if (found->shape.size() != 2 || found->shape[1] != width)
      file_.refuse(std::string("tensor ") + name, "has rows of " + std::to_string(found->shape.back()) +
                                                      ", but " + key("embedding_length") + " is " +
                                                      std::to_string(width));
    return *found;
  }

  void sizes() {
    spec_.hidden_size = size("embedding_length");
    spec_.layers = size("block_count");
    if (spec_.layers > most_blocks)
      refuse("block_count", "more than " + std::to_string(most_blocks) + " are not supported");
    spec_.intermediate_size =
        size("feed_forward_length", row_.learned ? std::optional(4 * spec_.hidden_size) : std::nullopt);
    spec_.max_positions = size("context_length");
    const auto &embedding = table("token_embd.weight", spec_.hidden_size);
    spec_.vocab_size = embedding.shape[0];
    if (spec_.vocab_size > greatest_gguf_size) file_.refuse("tensor token_embd.weight", "has too many rows");
    if (const auto told = file_.whole(key("vocab_size")); told && *told != spec_.vocab_size)
      refuse("vocab_size", "is " + std::to_string(*told) + ", but token_embd.weight has " +
                               std::to_string(spec_.vocab_size) + " rows");
    const auto *head = file_.find_tensor("output.weight");
    spec_.tied_embeddings =
        !head || (head->type == embedding.type && head->shape == embedding.shape && same(*head, embedding));
  }

  static bool same(const gguf_tensor &one, const gguf_tensor &other) {
    return one.bytes.size() == other.bytes.size() &&
           std::memcmp(one.bytes.data(), other.bytes.data(), one.bytes.size()) == 0;
  }

  void heads() {
    spec_.heads = size("attention.head_count");
    spec_.kv_heads = size("attention.head_count_kv", spec_.heads);
    if (spec_.heads % spec_.kv_heads != 0)
      refuse("attention.head_count_kv",
             std::to_string(spec_.kv_heads) + " must divide the " + std::to_string(spec_.heads) + " heads");
    const bool given = file_.find(key("attention.key_length")) != nullptr;
    if (!given && spec_.hidden_size % spec_.heads != 0)
      refuse("attention.head_count",
             std::to_string(spec_.heads) +
                 " must divide embedding_length where there is no attention.key_length");
    spec_.head_dim = size("attention.key_length", std::max<std::int64_t>(1, spec_.hidden_size / spec_.heads));
    only("attention.value_length", static_cast<double>(spec_.head_dim), "it must be attention.key_length");
    only("attention.scale", 1 / std::sqrt(static_cast<double>(spec_.head_dim)),
         "one over the root of a head's width is");
    if (row_.learned && (spec_.kv_heads != spec_.heads || spec_.head_dim * spec_.heads != spec_.hidden_size))
      refuse("attention.head_count", "GPT-2 has as many heads for keys, which fill its width");
    const auto window = file_.whole(key("attention.sliding_window"));
    if (window && *window > 0 && *window < spec_.max_positions)
      refuse("attention.sliding_window",
             std::to_string(*window) + " is not supported; give the model's Hugging Face folder");
  }

  void positions() {
    if (row_.learned) {
      const auto rows = table("position_embd.weight", spec_.hidden_size).shape[0];
      if (rows != spec_.max_positions)
        refuse("context_length", "is " + std::to_string(spec_.max_positions) +
                                     ", but position_embd.weight has " + std::to_string(rows) + " rows");
      return;
    }
    if (spec_.head_dim % 2 != 0) refuse("attention.key_length", "must be even for rotary positions");
    only("rope.dimension_count", static_cast<double>(spec_.head_dim),
         "all of a head's " + std::to_string(spec_.head_dim) + " must turn");
    spec_.rope_theta = positive("rope.freq_base", 10000.0);
    scaling();
    factors();
  }

  // As llama.cpp: linear where only a factor is given.
  void scaling() {
    const auto type = file_.text(key("rope.scaling.type")).value_or("linear");
    if (type == "none") return;
    if (type != "linear")
      refuse("rope.scaling.type",
             "\"" + type.substr(0, 40) + "\" is not supported (\"none\" and \"linear\" are)");
    only("rope.scaling.attn_factor", 1, "1 is");
    double factor = 0;
    for (const char *name : {"rope.scaling.factor", "rope.scale_linear"})
      if (factor == 0 && file_.find(key(name))) {
        factor = *file_.number(key(name));
        if (factor < 0) refuse(name, "must be above 0");
      }
    if (factor == 0 || factor == 1) return;
    spec_.rope.type = rope_scaling::kind::linear;
    spec_.rope.factor = factor;
  }

  void factors() {
    for (const char *name : {"rope_factors_long.weight", "rope_factors_short.weight"})
      if (file_.find_tensor(name))
        file_.refuse(std::string("tensor ") + name, "positions by LongRoPE are not supported");
    const auto *tensor = file_.find_tensor("rope_freqs.weight");
    if (!tensor) return;
    const std::string name = "tensor rope_freqs.weight";
    if (tensor->count() != spec_.head_dim / 2 || tensor->shape.size() != 1)
      file_.refuse(name, "must hold " + std::to_string(spec_.head_dim / 2) + " factors");
    std::vector<float> values(static_cast<std::size_t>(tensor->count()));
    file_.read_rows("rope_freqs.weight", 0, 1, values.data());
    const auto found = scaling_of_factors(values, spec_);
    if (!found || (found->type != rope_scaling::kind::none && spec_.rope.type != rope_scaling::kind::none))
      file_.refuse(name, "its factors follow no rule that is supported (none, linear and Llama 3's are)");
    if (found->type != rope_scaling::kind::none) spec_.rope = *found;
  }

  void numbers() {
    const char *name = row_.learned ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    const auto value = file_.number(key(name));
    if (!value) refuse(name, "is missing; is it a whole GGUF model?");
    if (*value < 0) refuse(name, "must not be below 0");
    // A float32 of "1e-05": the decimal number is what was meant.
    spec_.norm_eps = std::stod(shortest(static_cast<float>(*value)));
  }

  static std::string shortest(float value) {
    std::array<char, 32> text{};
    for (int digits = 1; digits <= 9; ++digits) {
      std::snprintf(text.data(), text.size(), "%.*g", digits, static_cast<double>(value));
      if (std::strtof(text.data(), nullptr) == value) break;
    }
    return text.data();
  }

  bool has(const char *name) const { return file_.find_tensor(name) != nullptr; }

  void biases() {
    if (family_.biases != attention_biases::as_config_says) return;
    spec_.qkv_bias = spec_.output_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_output.bias");
    if (family_.mlp_bias_in_config) spec_.mlp_bias = has("blk.0.ffn_up.bias") || has("blk.0.ffn_down.bias");
  }

  void tokens() {
    for (const char *name : {"eos", "eot", "eom"})
      if (const auto id = gguf_token(file_, name);
          id >= 0 &&
          std::find(spec_.eos_tokens.begin(), spec_.eos_tokens.end(), id) == spec_.eos_tokens.end())
        spec_.eos_tokens.push_back(id);
    spec_.bos_token = gguf_token(file_, "bos");
    spec_.pad_token = gguf_token(file_, "padding");
    for (const char *name : {"unknown", "seperator", "separator", "cls", "mask", "fim_pre", "fim_suf",
                             "fim_mid", "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle"})
      gguf_token(file_, name);
  }

  const gguf_file &file_;
  const gguf_architecture &row_;
  const family &family_;
  model_spec spec_;
};

}  // namespace

model_spec gguf_spec(const gguf_file &file) {
  return gguf_reading(file).spec();
}

std::int64_t gguf_token(const gguf_file &file, const std::string &name) {
  const std::string key = "tokenizer.ggml." + name + "_token_id";
  const auto id = file.whole(key);
  if (!id) return -1;
  std::int64_t rows = INT64_MAX;
  if (const auto *embedding = file.find_tensor("token_embd.weight")) rows = embedding->shape.front();
  if (const auto *tokens = file.find("tokenizer.ggml.tokens"))
    rows = std::min(rows, static_cast<std::int64_t>(tokens->count));
  if (*id < 0 || *id >= rows)
    file.refuse(key, std::to_string(*id) + " is none of the model's " + std::to_string(rows) + " tokens");
  return *id;
}

}  // namespace slipstream

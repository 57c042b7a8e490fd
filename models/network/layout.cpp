#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <numbers>

#include "models/network/transformer.hpp"

namespace slipstream {
namespace {

using shape = std::vector<std::int64_t>;

class list {
 public:
  void add(std::string name, shape sizes) {
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    slots_.push_back({std::move(name), std::move(sizes), next_});
    next_ += count;
  }
  std::vector<parameter_slot> take() { return std::move(slots_); }
  std::int64_t count() const { return next_; }

 private:
  std::vector<parameter_slot> slots_;
  std::int64_t next_ = 0;
};

// Matrices that read the same input stand side by side, so that one product computes them all.
void add_attention(list &to, const std::string &layer, const model_spec &spec) {
  const std::int64_t queries = spec.heads * spec.head_dim, keys = spec.kv_heads * spec.head_dim;
  const std::string prefix = layer + "self_attn.";
  const std::pair<const char *, std::int64_t> inputs[] = {
      {"q_proj", queries}, {"k_proj", keys}, {"v_proj", keys}};
  for (const auto &[name, size] : inputs) to.add(prefix + name + ".weight", {size, spec.hidden_size});
  if (spec.attention_bias)
    for (const auto &[name, size] : inputs) to.add(prefix + name + ".bias", {size});
  to.add(prefix + "o_proj.weight", {spec.hidden_size, queries});
  if (spec.attention_bias) to.add(prefix + "o_proj.bias", {spec.hidden_size});
}

void add_mlp(list &to, const std::string &layer, const model_spec &spec) {
  const std::string prefix = layer + "mlp.";
  for (const char *name : {"gate_proj", "up_proj"})
    to.add(prefix + name + ".weight", {spec.intermediate_size, spec.hidden_size});
  if (spec.mlp_bias)
    for (const char *name : {"gate_proj", "up_proj"})
      to.add(prefix + name + ".bias", {spec.intermediate_size});
  to.add(prefix + "down_proj.weight", {spec.hidden_size, spec.intermediate_size});
  if (spec.mlp_bias) to.add(prefix + "down_proj.bias", {spec.hidden_size});
}

list layout(const model_spec &spec) {
  list slots;
  slots.add("model.embed_tokens.weight", {spec.vocab_size, spec.hidden_size});
  for (std::int64_t i = 0; i < spec.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    slots.add(layer + "input_layernorm.weight", {spec.hidden_size});
    add_attention(slots, layer, spec);
    slots.add(layer + "post_attention_layernorm.weight", {spec.hidden_size});
    add_mlp(slots, layer, spec);
  }
  slots.add("model.norm.weight", {spec.hidden_size});
  if (spec.labels > 0) {
    slots.add("score.weight", {spec.labels, spec.hidden_size});
  } else if (!spec.tied_embeddings) {
    slots.add("lm_head.weight", {spec.vocab_size, spec.hidden_size});
  }
  return slots;
}

// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): a hash of its argument.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t stream_of(std::uint64_t seed, const std::string &name) {
  std::uint64_t hash = mix(seed);
  for (const char c : name) hash = mix(hash ^ static_cast<unsigned char>(c));
  return hash;
}

double open_uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

// Box-Muller: two normal numbers from two uniform ones, so element i depends on the stream and i alone.
void fill_normal(float *to, std::int64_t count, std::uint64_t stream, double deviation) {
  for (std::int64_t i = 0; i < count; i += 2) {
    const auto counter = static_cast<std::uint64_t>(i);
    const double radius = deviation * std::sqrt(-2.0 * std::log(open_uniform(mix(stream ^ mix(counter)))));
    const double angle = 2.0 * std::numbers::pi * open_uniform(mix(stream ^ mix(counter + 1)));
    to[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) to[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace

std::vector<parameter_slot> parameter_layout(const model_spec &spec) {
  return layout(spec).take();
}

std::int64_t parameter_count(const model_spec &spec) {
  return layout(spec).count();
}

at::Tensor initial_parameters(const model_spec &spec, std::uint64_t seed) {
  list slots = layout(spec);
  at::Tensor flat = at::empty({slots.count()}, at::kFloat);
  float *data = flat.data_ptr<float>();
  for (const parameter_slot &slot : slots.take()) {
    std::int64_t count = 1;
    for (const std::int64_t size : slot.shape) count *= size;
    const bool matrix = slot.shape.size() == 2;
    if (matrix) fill_normal(data + slot.offset, count, stream_of(seed, slot.name), spec.initializer_range);
    const float constant = slot.name.ends_with("norm.weight") ? 1.0f : 0.0f;
    if (!matrix) std::fill_n(data + slot.offset, count, constant);
  }
  return flat;
}

}  // namespace slipstream

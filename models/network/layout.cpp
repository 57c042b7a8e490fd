#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/network/families.hpp"
#include "models/network/initial.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {
namespace {

using role = parameter_slot::role;

class list {
 public:
  void add(std::string name, std::vector<std::int64_t> sizes, role kind, bool transposed = false) {
    slots_.push_back({std::move(name), std::move(sizes), kind, transposed, next_});
    next_ += slots_.back().count();
  }
  // Matrices that read the same input stand side by side, so that one product computes them all; then their
  // biases.
  void add_matrices(const std::string &prefix, const std::vector<const char *> &names,
                    const std::vector<std::int64_t> &outputs, std::int64_t input, bool bias,
                    bool transposed) {
    for (std::size_t i = 0; i < names.size(); ++i)
      add(prefix + names[i] + ".weight", {outputs[i], input}, role::matrix, transposed);
    for (std::size_t i = 0; bias && i < names.size(); ++i)
      add(prefix + names[i] + ".bias", {outputs[i]}, role::bias);
  }
  void add_norm(const std::string &name, std::int64_t width, norm_kind kind) {
    add(name + ".weight", {width}, role::gain);
    if (kind == norm_kind::layer) add(name + ".bias", {width}, role::bias);
  }
  std::vector<parameter_slot> take() { return std::move(slots_); }

 private:
  std::vector<parameter_slot> slots_;
  std::int64_t next_ = 0;
};

void add_layer(list &to, const std::string &layer, const model_spec &spec, const tensor_names &names) {
  const std::int64_t width = spec.hidden_size, inner = spec.intermediate_size;
  const std::int64_t queries = spec.heads * spec.head_dim, keys = spec.kv_heads * spec.head_dim;
  const bool one = names.queries_keys_values.size() == 1;
  to.add_norm(layer + names.attention_norm, width, spec.norm);
  to.add_matrices(layer, names.queries_keys_values,
                  one ? std::vector{queries + 2 * keys} : std::vector{queries, keys, keys}, width,
                  spec.qkv_bias, names.transposed);
  if (spec.qk_norm)
    for (const char *name : {"self_attn.q_norm", "self_attn.k_norm"})
      to.add_norm(layer + name, spec.head_dim, norm_kind::rms);
  to.add_matrices(layer, {names.output}, {width}, queries, spec.output_bias, names.transposed);
  to.add_norm(layer + names.mlp_norm, width, spec.norm);
  to.add_matrices(layer, names.up, std::vector(names.up.size(), inner), width, spec.mlp_bias,
                  names.transposed);
  to.add_matrices(layer, {names.down}, {width}, inner, spec.mlp_bias, names.transposed);
}

}  // namespace

std::int64_t parameter_slot::count() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

std::vector<std::int64_t> parameter_slot::stored_shape() const {
  return stored_transposed ? std::vector<std::int64_t>{shape.rbegin(), shape.rend()} : shape;
}

std::vector<parameter_slot> parameter_layout(const model_spec &spec) {
  const family *row = find_family(spec.model_type);
  if (!row) throw input_error("model_type \"" + spec.model_type + "\" is not supported");
  const tensor_names &names = row->tensors;
  list slots;
  slots.add(std::string(names.embedding) + ".weight", {spec.vocab_size, spec.hidden_size}, role::table);
  if (names.positions)
    slots.add(std::string(names.positions) + ".weight", {spec.max_positions, spec.hidden_size}, role::table);
  for (std::int64_t i = 0; i < spec.layers; ++i)
    add_layer(slots, names.layer + std::to_string(i) + ".", spec, names);
  slots.add_norm(names.norm, spec.hidden_size, spec.norm);
  if (spec.labels > 0) {
    slots.add("score.weight", {spec.labels, spec.hidden_size}, role::matrix);
  } else if (!spec.tied_embeddings) {
    slots.add("lm_head.weight", {spec.vocab_size, spec.hidden_size}, role::matrix);
  }
  return slots.take();
}

std::vector<std::pair<std::int64_t, std::int64_t>> layer_ranges(const model_spec &spec) {
  const std::vector<parameter_slot> slots = parameter_layout(spec);
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < spec.layers; ++i) {
    const std::string prefix = find_family(spec.model_type)->tensors.layer + std::to_string(i) + ".";
    const auto within = [&] { return slots[next].name.rfind(prefix, 0) == 0; };
    while (!within()) ++next;
    const std::int64_t first = slots[next].offset;
    while (within()) ++next;  // a norm follows the last one
    ranges.emplace_back(first, slots[next].offset - first);
  }
  return ranges;
}

std::int64_t parameter_count(const model_spec &spec) {
  const std::vector<parameter_slot> slots = parameter_layout(spec);
  return slots.back().offset + slots.back().count();
}

at::Tensor initial_parameters(const model_spec &spec, std::uint64_t seed) {
  const at::Tensor flat = at::empty({parameter_count(spec)}, at::kFloat);
  float *data = flat.data_ptr<float>();
  for (const parameter_slot &slot : parameter_layout(spec)) {
    float *to = data + slot.offset;
    if (slot.kind == role::matrix || slot.kind == role::table)
      counter_normal(to, slot.count(), seed, slot.name, spec.initializer_range);
    else
      std::fill_n(to, slot.count(), slot.kind == role::gain ? 1.0f : 0.0f);
  }
  return flat;
}

}  // namespace slipstream

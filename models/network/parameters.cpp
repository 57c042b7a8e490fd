#include "models/network/parameters.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "models/network/families.hpp"

namespace slipstream::network {
namespace {

// Hands out the parameters in the order of parameter_layout, several slots as one matrix where one product
// computes them, with the adapters that act on them.
class cutter {
 public:
  cutter(const model_spec &spec, buffer base, const adapter_spec *adapter, buffer values)
      : slots_(parameter_layout(spec)), base_(std::move(base)), values_(std::move(values)) {
    if (!adapter) return;
    scale_ = adapter->scale();
    for (parameter_slot &slot : adapter_layout(spec, *adapter)) {
      std::string name = slot.name;
      parts_.emplace(std::move(name), std::move(slot));
    }
  }

  at::Tensor next(std::size_t slots = 1) {
    std::vector<std::int64_t> shape = slots_.at(next_).shape;
    const std::int64_t start = slots_[next_].offset;
    for (std::size_t i = 1; i < slots; ++i) shape[0] += slots_.at(next_ + i).shape[0];
    next_ += slots;
    return base_.view(start, std::move(shape));
  }

  ops::norm_weights next_norm(norm_kind kind) {
    ops::norm_weights norm;
    norm.gain = next();
    if (kind == norm_kind::layer) norm.bias = next();
    return norm;
  }

  linear_weights next_linear(std::size_t slots, bool bias) {
    linear_weights result;
    std::int64_t first = 0;
    for (std::size_t i = next_; i < next_ + slots; ++i) {
      const std::string &name = slots_.at(i).name, module = name.substr(0, name.rfind('.'));
      if (const parameter_slot *a = part(module + ".lora_A.weight"))
        result.adapters.push_back(
            {values_.view(*a), values_.view(*part(module + ".lora_B.weight")), first, scale_});
      first += slots_[i].shape[0];
    }
    result.weight = next(slots);
    if (bias) result.bias = next(slots);
    return result;
  }

  // The score head: the adapter's own where there is one.
  at::Tensor next_score() {
    const parameter_slot *own = part(slots_.at(next_).name);
    const at::Tensor frozen = next();
    return own ? values_.view(*own) : frozen;
  }

 private:
  const parameter_slot *part(const std::string &name) const {
    const auto found = parts_.find("base_model.model." + name);
    return found == parts_.end() ? nullptr : &found->second;
  }

  std::vector<parameter_slot> slots_;
  buffer base_, values_;
  std::map<std::string, parameter_slot> parts_;
  double scale_ = 1;
  std::size_t next_ = 0;
};

layer_parameters cut_layer(cutter &from, const model_spec &spec, const tensor_names &names) {
  layer_parameters layer;
  layer.norm = from.next_norm(spec.norm);
  layer.qkv = from.next_linear(names.queries_keys_values.size(), spec.qkv_bias);
  if (spec.qk_norm) {
    layer.q_norm = from.next_norm(norm_kind::rms);
    layer.k_norm = from.next_norm(norm_kind::rms);
  }
  layer.output = from.next_linear(1, spec.output_bias);
  layer.mlp_norm = from.next_norm(spec.norm);
  layer.up = from.next_linear(names.up.size(), spec.mlp_bias);
  layer.down = from.next_linear(1, spec.mlp_bias);
  return layer;
}

}  // namespace

std::vector<const linear_weights *> parameters::all_linear() const {
  std::vector<const linear_weights *> result;
  for (const auto &layer : layers)
    for (const auto *each : {&layer.qkv, &layer.output, &layer.up, &layer.down}) result.push_back(each);
  if (head.weight.defined()) result.push_back(&head);
  return result;
}

at::Tensor buffer::view(std::int64_t start, std::vector<std::int64_t> shape) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), start,
                                      [](std::int64_t at, const auto &piece) { return at < piece.first; });
  const auto &[first, values, gradient] = *(after - 1);
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  at::Tensor view = values.narrow(0, start - first, count).view(shape);
  if (!gradient.defined()) return view;
  view.set_requires_grad(true);
  view.mutable_grad() = gradient.narrow(0, start - first, count).view(shape);
  return view;
}

parameters cut(const model_spec &spec, const buffer &base, const adapter_spec *adapter,
               const buffer &values) {
  const tensor_names &names = find_family(spec.model_type)->tensors;
  cutter from(spec, base, adapter, values);
  parameters all;
  all.embedding = from.next();
  if (names.positions) all.positions = from.next();
  for (std::int64_t i = 0; i < spec.layers; ++i) all.layers.push_back(cut_layer(from, spec, names));
  all.norm = from.next_norm(spec.norm);
  if (spec.labels > 0)
    all.score = from.next_score();
  else if (spec.tied_embeddings)
    all.head.weight = all.embedding;
  else
    all.head = from.next_linear(1, false);
  std::size_t index = 0;
  for (auto &layer : all.layers)
    for (auto *each : {&layer.qkv, &layer.output, &layer.up, &layer.down}) each->index = index++;
  all.head.index = index;
  return all;
}

}  // namespace slipstream::network

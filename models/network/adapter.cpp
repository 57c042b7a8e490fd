#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "models/network/initial.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {
namespace {

constexpr std::string_view weight_suffix = ".weight";

// "model.layers.0.self_attn.q_proj" of "model.layers.0.self_attn.q_proj.weight".
std::string module_of(const parameter_slot &slot) {
  return slot.name.substr(0, slot.name.size() - weight_suffix.size());
}

bool names_module(const std::string &target, const std::string &module) {
  return module == target || module.ends_with("." + target);
}

bool is_target(const adapter_spec &adapter, const parameter_slot &slot) {
  if (slot.kind != parameter_slot::role::matrix || slot.name == "score.weight") return false;
  const std::string module = module_of(slot);
  return std::any_of(adapter.targets.begin(), adapter.targets.end(), [&](const std::string &target) {
    return target == "all-linear" ? module != "lm_head" : names_module(target, module);
  });
}

void check(const model_spec &spec, const adapter_spec &adapter) {
  if (adapter.rank < 1 || adapter.targets.empty())
    throw input_error("a LoRA adapter needs a rank of at least 1 and one target or more");
  std::string known;
  const std::vector<parameter_slot> slots = parameter_layout(spec);
  for (const std::string &target : adapter.targets) {
    const adapter_spec one{adapter.rank, adapter.alpha, false, {target}};
    if (std::any_of(slots.begin(), slots.end(), [&](const auto &slot) { return is_target(one, slot); }))
      continue;
    for (const parameter_slot &slot : slots) {
      const std::string module = module_of(slot);
      const std::string last = module.substr(module.rfind('.') + 1);
      const adapter_spec all{adapter.rank, adapter.alpha, false, {last}};
      if (is_target(all, slot) && known.find(last) == std::string::npos)
        known += (known.empty() ? "" : ", ") + last;
    }
    throw input_error("LoRA target \"" + target + "\" names no linear layer of this " + spec.model_type +
                      " model; there are " + known + ", and all-linear");
  }
}

}  // namespace

std::vector<parameter_slot> adapter_layout(const model_spec &spec, const adapter_spec &adapter) {
  check(spec, adapter);
  std::vector<parameter_slot> result;
  std::int64_t next = 0;
  const auto add = [&](std::string name, std::vector<std::int64_t> shape) {
    result.push_back(
        {"base_model.model." + std::move(name), std::move(shape), parameter_slot::role::matrix, false, next});
    next += result.back().count();
  };
  for (const parameter_slot &slot : parameter_layout(spec)) {
    if (is_target(adapter, slot)) {
      add(module_of(slot) + ".lora_A.weight", {adapter.rank, slot.shape[1]});
      add(module_of(slot) + ".lora_B.weight", {slot.shape[0], adapter.rank});
    } else if (slot.name == "score.weight") {
      add(slot.name, slot.shape);
    }
  }
  return result;
}

std::int64_t adapter_count(const model_spec &spec, const adapter_spec &adapter) {
  const std::vector<parameter_slot> slots = adapter_layout(spec, adapter);
  return slots.back().offset + slots.back().count();
}

at::Tensor initial_adapter(const model_spec &spec, const adapter_spec &adapter, const at::Tensor &base,
                           std::uint64_t seed) {
  const at::Tensor values = at::empty({adapter_count(spec, adapter)}, at::kFloat);
  for (const parameter_slot &slot : adapter_layout(spec, adapter)) {
    float *to = values.data_ptr<float>() + slot.offset;
    if (slot.name.ends_with("lora_A.weight"))
      counter_uniform(to, slot.count(), seed, slot.name, 1.0 / std::sqrt(static_cast<double>(slot.shape[1])));
    else
      std::fill_n(to, slot.count(), 0.0f);
  }
  if (spec.labels > 0) {
    const parameter_slot head = parameter_layout(spec).back(), own = adapter_layout(spec, adapter).back();
    at::Tensor to = values.narrow(0, own.offset, own.count());
    to.copy_(base.narrow(0, head.offset, head.count()));
  }
  return values;
}

at::Tensor merge_adapter(const model_spec &spec, const at::Tensor &base, const adapter_spec &adapter,
                         const at::Tensor &values) {
  const at::Tensor merged = base.detach().clone();
  const std::vector<parameter_slot> parts = adapter_layout(spec, adapter);
  const auto view = [](const at::Tensor &flat, const parameter_slot &slot) {
    return flat.detach().narrow(0, slot.offset, slot.count()).view(slot.shape);
  };
  std::size_t next = 0;
  for (const parameter_slot &slot : parameter_layout(spec)) {
    at::Tensor weight = view(merged, slot);
    if (is_target(adapter, slot)) {
      const at::Tensor a = view(values, parts[next]), b = view(values, parts[next + 1]);
      weight.add_(at::mm(b, a), adapter.scale());
      next += 2;
    } else if (slot.name == "score.weight") {
      weight.copy_(view(values, parts[next++]));
    }
  }
  return merged;
}

}  // namespace slipstream

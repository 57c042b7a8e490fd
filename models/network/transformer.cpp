#include "models/network/transformer.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/tensor.h>

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

#include "models/arithmetic/parallel.hpp"
#include "models/arithmetic/product.hpp"
#include "models/error.hpp"
#include "models/network/families.hpp"
#include "models/network/functions.hpp"
#include "models/network/operations.hpp"

namespace slipstream {
namespace {

// Matrices that read one input, side by side, and the adapters of some of them.
struct linear_weights {
  at::Tensor weight, bias;
  std::vector<ops::low_rank> adapters;
  std::size_t index = 0;  ///< among all of the model
};

struct layer_parameters {
  ops::norm_weights norm, q_norm, k_norm, mlp_norm;
  linear_weights qkv, output, up, down;
};

struct parameters {
  at::Tensor embedding, positions, score;
  ops::norm_weights norm;
  linear_weights head;
  std::vector<layer_parameters> layers;

  std::vector<linear_weights *> all_linear() {
    std::vector<linear_weights *> result;
    for (auto &layer : layers)
      for (auto *each : {&layer.qkv, &layer.output, &layer.up, &layer.down}) result.push_back(each);
    if (head.weight.defined()) result.push_back(&head);
    return result;
  }
};

// All of a model's linear weights in panels, by their indices; null until somebody packs them.
struct panels {
  std::atomic<std::shared_ptr<const std::vector<arithmetic::packed_matrix>>> matrices;
};

// Views of a flat buffer by slot; with a gradient buffer each view is a leaf that accumulates into the same
// place of it.
class buffer {
 public:
  buffer() = default;
  buffer(at::Tensor values, at::Tensor gradient) : pieces_{{0, std::move(values), std::move(gradient)}} {}
  explicit buffer(std::vector<parameter_piece> pieces) : pieces_(std::move(pieces)) {}

  at::Tensor view(std::int64_t start, std::vector<std::int64_t> shape) const {
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
  at::Tensor view(const parameter_slot &slot) const { return view(slot.offset, slot.shape); }

 private:
  std::vector<parameter_piece> pieces_;
};

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
  for (auto *each : all.all_linear()) each->index = index++;
  return all;
}

void check_buffer(std::int64_t count, const at::Tensor &given, const char *what) {
  if (!given.defined() || given.dim() != 1 || given.size(0) != count || !given.is_contiguous())
    throw std::invalid_argument(std::string(what) + " must be one dense row of " + std::to_string(count) +
                                " elements");
}

}  // namespace

struct transformer::state {
  model_spec spec;
  at::Tensor flat;
  std::optional<adapter_spec> adapter;
  at::Tensor values;  // of the adapters
  numerics mode;
  at::Tensor frequencies;  // of rotary positions
  parameters weights;
  std::shared_ptr<layer_residency> residency;  // null: all layers are there
  std::shared_ptr<panels> packed = std::make_shared<panels>();

  // Good as long as the model is: what is packed stays.
  const arithmetic::packed_matrix *panels_of(const linear_weights &w) const {
    if (at::GradMode::is_enabled()) return nullptr;
    const auto all = packed->matrices.load();
    return all ? &(*all)[w.index] : nullptr;
  }
  at::Tensor linear(const at::Tensor &x, const linear_weights &w) const {
    return ops::adapted_linear(x, w.weight, w.bias, w.adapters, mode, panels_of(w));
  }
  at::Tensor normed(const at::Tensor &x, const ops::norm_weights &w) const {
    return ops::norm(x, w, spec.norm_eps, mode);
  }
  at::Tensor layer(std::int64_t index, const at::Tensor &x, const ops::rotary &angles, attention &how) const {
    const layer_parameters &own = weights.layers[static_cast<std::size_t>(index)];
    const at::Tensor qkv = linear(normed(x, own.norm), own.qkv);
    const ops::heads parts = ops::split_heads(qkv, angles, own.q_norm, own.k_norm, spec, mode);
    const at::Tensor seen = how.attend(index, spec.window(index), parts.q, parts.k, parts.v);
    const at::Tensor y =
        at::add(x, linear(seen.reshape({x.size(0), spec.heads * spec.head_dim}), own.output));
    const at::Tensor up = linear(normed(y, own.mlp_norm), own.up);
    return at::add(y, linear(ops::activate(up, spec.activation, mode), own.down));
  }
};

namespace {

at::Tensor frequencies_of(const model_spec &spec) {
  if (spec.positions != position_kind::rotary) return {};
  const std::vector<float> values = rotary_frequencies(spec);
  return at::tensor(values, at::kFloat);
}

}  // namespace

std::shared_ptr<attention> attention::copy() const {
  throw std::logic_error("this attention cannot be computed again");
}

transformer::transformer(model_spec spec, at::Tensor flat, numerics mode) {
  check_buffer(parameter_count(spec), flat, "the parameter buffer");
  ops::own_kernels(flat, mode);
  parameters weights = cut(spec, {flat.detach(), {}}, nullptr, {});
  const at::Tensor frequencies = frequencies_of(spec);
  state_ = std::make_shared<const state>(
      state{std::move(spec), std::move(flat), {}, {}, mode, frequencies, std::move(weights), {}});
}

transformer::transformer(model_spec spec, at::Tensor flat, adapter_spec adapter, at::Tensor values,
                         numerics mode) {
  check_buffer(parameter_count(spec), flat, "the parameter buffer");
  check_buffer(adapter_count(spec, adapter), values, "the adapter buffer");
  ops::own_kernels(flat, mode);
  parameters weights = cut(spec, {flat.detach(), {}}, &adapter, {values.detach(), {}});
  const at::Tensor frequencies = frequencies_of(spec);
  state_ = std::make_shared<const state>(state{std::move(spec),
                                               std::move(flat),
                                               std::move(adapter),
                                               std::move(values),
                                               mode,
                                               frequencies,
                                               std::move(weights),
                                               {}});
}

transformer::transformer(model_spec spec, const std::vector<parameter_piece> &pieces,
                         std::shared_ptr<layer_residency> residency, numerics mode) {
  std::int64_t next = 0;
  for (const auto &piece : pieces) {
    if (piece.first != next)
      throw std::invalid_argument("the parameters are not cut into pieces without a gap");
    next += piece.values.numel();
  }
  if (next != parameter_count(spec)) throw std::invalid_argument("the pieces are not all parameters");
  ops::own_kernels(pieces.front().values, mode);
  parameters weights = cut(spec, buffer(pieces), nullptr, {});
  const at::Tensor frequencies = frequencies_of(spec);
  state_ = std::make_shared<const state>(
      state{std::move(spec), {}, {}, {}, mode, frequencies, std::move(weights), std::move(residency)});
}

const model_spec &transformer::spec() const {
  return state_->spec;
}
numerics transformer::mode() const {
  return state_->mode;
}
const at::Tensor &transformer::flat() const {
  return state_->flat;
}
const adapter_spec *transformer::adapter() const {
  return state_->adapter ? &*state_->adapter : nullptr;
}
const at::Tensor &transformer::trainable() const {
  return state_->adapter ? state_->values : state_->flat;
}

std::vector<parameter_slot> transformer::trainable_layout() const {
  return adapter() ? adapter_layout(spec(), *adapter()) : parameter_layout(spec());
}

transformer transformer::with_trainable(at::Tensor values) const {
  if (!adapter()) return {spec(), std::move(values), mode()};
  transformer result(spec(), flat(), *adapter(), std::move(values), mode());
  state next = *result.state_;
  next.packed = state_->packed;  // of the weights below the adapters, which are the same
  result.state_ = std::make_shared<const state>(std::move(next));
  return result;
}

void transformer::pack() const {
  if (state_->residency || !ops::own_kernels(state_->flat, state_->mode)) return;
  if (state_->packed->matrices.load()) return;
  parameters weights = state_->weights;
  const auto linear = weights.all_linear();
  auto all = std::make_shared<std::vector<arithmetic::packed_matrix>>(linear.size());
  arithmetic::share(linear.size(), static_cast<double>(state_->flat.numel()), [&](std::size_t i) {
    const at::Tensor &w = linear[i]->weight;
    const auto depth = static_cast<std::size_t>(w.size(1));
    (*all)[i] = {{w.data_ptr<float>(), depth, 1}, depth, static_cast<std::size_t>(w.size(0))};
  });
  std::shared_ptr<const std::vector<arithmetic::packed_matrix>> none;
  state_->packed->matrices.compare_exchange_strong(none, std::move(all));  // another thread's are as good
}

void transformer::train_into(const at::Tensor &flat_gradient) {
  check_buffer(trainable().numel(), flat_gradient, "the gradient buffer");
  state next = *state_;
  next.packed = std::make_shared<panels>();  // what is trained changes
  const at::Tensor none;
  next.weights = cut(next.spec, {next.flat.detach(), adapter() ? none : flat_gradient}, adapter(),
                     {adapter() ? next.values.detach() : none, flat_gradient});
  state_ = std::make_shared<const state>(std::move(next));
}

at::Tensor transformer::hidden(const at::Tensor &ids, const at::Tensor &positions, attention &how) const {
  const state &own = *state_;
  const parameters &weights = own.weights;
  at::Tensor x = at::embedding(weights.embedding, ids);
  ops::rotary angles;
  if (weights.positions.defined())
    x = at::add(x, at::embedding(weights.positions, positions));
  else
    angles = ops::rotary_angles(positions, own.frequencies, weights.embedding.options());
  const auto kept = own.residency ? how.copy() : nullptr;
  for (std::int64_t i = 0; i < own.spec.layers; ++i) {
    if (!own.residency)
      x = own.layer(i, x, angles, how);
    else
      x = through_layer(own.residency, i, x, [model = state_, i, angles, kept](const at::Tensor &input) {
        return model->layer(i, input, angles, *kept);
      });
  }
  return own.normed(x, weights.norm);
}

at::Tensor transformer::logits(const at::Tensor &hidden_states) const {
  const linear_weights &head = state_->weights.head;
  if (!head.weight.defined())
    throw input_error(
        "this model has a score head and no language-model head; use a model without one to read logits");
  return state_->linear(hidden_states, head);
}

at::Tensor transformer::logprobs(const at::Tensor &hidden_states, const at::Tensor &ids, double scale) const {
  const linear_weights &head = state_->weights.head;
  const bool chunked = head.weight.defined() && head.adapters.empty() && !state_->panels_of(head) &&
                       ops::own_kernels(hidden_states, state_->mode);
  return chunked ? functions::chosen_logprobs(hidden_states, head.weight, ids, scale)
                 : ops::token_logprobs(logits(hidden_states), ids, scale, state_->mode);
}

at::Tensor transformer::scores(const at::Tensor &hidden_states) const {
  if (state_->spec.labels != 1)
    throw input_error("this model has no score head; load it with one label to read scores");
  return ops::linear(hidden_states, state_->weights.score, {}, state_->mode).squeeze(1);
}

}  // namespace slipstream

#include "models/network/transformer.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/tensor.h>

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "models/arithmetic/parallel.hpp"
#include "models/arithmetic/product.hpp"
#include "models/error.hpp"
#include "models/network/functions.hpp"
#include "models/network/operations.hpp"
#include "models/network/packed_pass.hpp"
#include "models/network/parameters.hpp"

namespace slipstream {
namespace {

using network::buffer;
using network::cut;
using network::layer_parameters;
using network::linear_weights;
using network::parameters;

// All of a model's linear weights in panels, by their indices; null until somebody packs them.
struct panels {
  std::atomic<std::shared_ptr<const std::vector<arithmetic::packed_matrix>>> matrices;
  arithmetic::weight_format format = arithmetic::weight_format::float32;
};

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

void attention::attend_rows(std::int64_t, std::int64_t, const plain_rows &, float *) {
  throw std::logic_error("this attention takes tensors only");
}

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
  if (!adapter()) {
    transformer result(spec(), std::move(values), mode());
    result.state_->packed->format = state_->packed->format;
    return result;
  }
  transformer result(spec(), flat(), *adapter(), std::move(values), mode());
  state next = *result.state_;
  next.packed = state_->packed;  // of the weights below the adapters, which are the same
  result.state_ = std::make_shared<const state>(std::move(next));
  return result;
}

void transformer::pack() const {
  if (state_->residency || !ops::own_kernels(state_->flat, state_->mode)) return;
  if (state_->packed->matrices.load()) return;
  const auto linear = state_->weights.all_linear();
  auto all = std::make_shared<std::vector<arithmetic::packed_matrix>>();
  for (const auto *each : linear) {
    const at::Tensor &w = each->weight;
    const auto depth = static_cast<std::size_t>(w.size(1));
    all->push_back({{w.data_ptr<float>(), depth, 1},
                    depth,
                    static_cast<std::size_t>(w.size(0)),
                    state_->packed->format});
  }
  std::shared_ptr<const std::vector<arithmetic::packed_matrix>> none;
  state_->packed->matrices.compare_exchange_strong(none, std::move(all));  // another thread's are as good
}

transformer transformer::packed_in(arithmetic::weight_format format) const {
  if (state_->residency || !ops::own_kernels(state_->flat, state_->mode))
    throw input_error("weights are rounded on the cpu in float32 only");
  transformer result = *this;
  state next = *state_;
  next.packed = std::make_shared<panels>();
  next.packed->format = format;
  result.state_ = std::make_shared<const state>(std::move(next));
  result.pack();
  return result;
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
  const ops::rotary angles = weights.positions.defined() ? ops::rotary()
                                                         : ops::rotary_angles(positions, own.frequencies,
                                                                              weights.embedding.options());
  if (const auto matrices = own.packed->matrices.load();
      matrices && !at::GradMode::is_enabled() && how.takes_rows())
    return network::packed_hidden({own.spec, weights, *matrices}, ids, positions, angles, how);
  at::Tensor x = at::embedding(weights.embedding, ids);
  if (weights.positions.defined()) x = at::add(x, at::embedding(weights.positions, positions));
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

at::Tensor transformer::logits(const at::Tensor &hidden_states, std::vector<float> &room) const {
  const linear_weights &head = state_->weights.head;
  const auto *panels = head.weight.defined() && head.adapters.empty() && !head.bias.defined()
                           ? state_->panels_of(head)
                           : nullptr;
  if (!panels) return logits(hidden_states);
  const at::Tensor x = hidden_states.contiguous();
  const auto width = static_cast<std::int64_t>(panels->columns());
  room.resize(std::max(room.size(), static_cast<std::size_t>(x.size(0) * width)));
  functions::linear(x, *panels, room.data());
  return at::from_blob(room.data(), {x.size(0), width}, x.options());
}

ops::chosen_scores transformer::logprobs(const at::Tensor &hidden_states, const at::Tensor &ids, double scale,
                                         const kept_rows &kept, bool with_entropy) const {
  const linear_weights &head = state_->weights.head;
  const bool chunked = head.weight.defined() && head.adapters.empty() && !state_->panels_of(head) &&
                       ops::own_kernels(hidden_states, state_->mode);
  if (chunked) return functions::chosen_logprobs(hidden_states, head.weight, ids, scale, kept, with_entropy);
  const at::Tensor all = logits(hidden_states);
  ops::chosen_scores result{ops::token_logprobs(all, ids, scale, kept, state_->mode), {}};
  if (!with_entropy) return result;
  const at::Tensor each = at::log_softmax(at::mul(all.detach(), scale), -1);
  result.entropy = at::mul(at::exp(each), each).sum(-1).neg();
  return result;
}

at::Tensor transformer::scores(const at::Tensor &hidden_states) const {
  if (state_->spec.labels != 1)
    throw input_error("this model has no score head; load it with one label to read scores");
  return ops::linear(hidden_states, state_->weights.score, {}, state_->mode).squeeze(1);
}

}  // namespace slipstream

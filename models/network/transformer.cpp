#include "models/network/transformer.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/embedding.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/network/operations.hpp"

namespace slipstream {
namespace {

struct layer_parameters {
  at::Tensor norm, qkv, qkv_bias, o, o_bias, mlp_norm, gate_up, gate_up_bias, down, down_bias;
};

struct parameters {
  at::Tensor embedding, norm, head, score;
  std::vector<layer_parameters> layers;
};

// Hands out views of the flat buffer in the order of parameter_layout, several slots as one matrix where one
// product computes them; with a gradient buffer each view is a leaf that accumulates into the same place of
// it.
class cutter {
 public:
  cutter(const model_spec &spec, at::Tensor flat, at::Tensor gradient)
      : slots_(parameter_layout(spec)), flat_(flat.detach()), gradient_(std::move(gradient)) {}

  at::Tensor next(std::size_t slots = 1) {
    std::vector<std::int64_t> shape = slots_.at(next_).shape;
    const std::int64_t start = slots_[next_].offset;
    for (std::size_t i = 1; i < slots; ++i) shape[0] += slots_.at(next_ + i).shape[0];
    next_ += slots;
    const std::int64_t count = shape.size() == 2 ? shape[0] * shape[1] : shape[0];
    at::Tensor view = flat_.narrow(0, start, count).view(shape);
    if (!gradient_.defined()) return view;
    view.set_requires_grad(true);
    view.mutable_grad() = gradient_.narrow(0, start, count).view(shape);
    return view;
  }
  at::Tensor next_if(bool present, std::size_t slots = 1) { return present ? next(slots) : at::Tensor(); }

 private:
  std::vector<parameter_slot> slots_;
  at::Tensor flat_, gradient_;
  std::size_t next_ = 0;
};

layer_parameters cut_layer(cutter &from, const model_spec &spec) {
  layer_parameters layer;
  layer.norm = from.next();
  layer.qkv = from.next(3);
  layer.qkv_bias = from.next_if(spec.attention_bias, 3);
  layer.o = from.next();
  layer.o_bias = from.next_if(spec.attention_bias);
  layer.mlp_norm = from.next();
  layer.gate_up = from.next(2);
  layer.gate_up_bias = from.next_if(spec.mlp_bias, 2);
  layer.down = from.next();
  layer.down_bias = from.next_if(spec.mlp_bias);
  return layer;
}

parameters cut(const model_spec &spec, const at::Tensor &flat, const at::Tensor &gradient) {
  cutter from(spec, flat, gradient);
  parameters all;
  all.embedding = from.next();
  for (std::int64_t i = 0; i < spec.layers; ++i) all.layers.push_back(cut_layer(from, spec));
  all.norm = from.next();
  all.score = from.next_if(spec.labels > 0);
  if (spec.labels == 0) all.head = spec.tied_embeddings ? all.embedding : from.next();
  return all;
}

void check_buffer(const model_spec &spec, const at::Tensor &buffer, const char *what) {
  const std::int64_t count = parameter_count(spec);
  if (!buffer.defined() || buffer.dim() != 1 || buffer.size(0) != count || !buffer.is_contiguous())
    throw std::invalid_argument(std::string(what) + " must be one dense row of " + std::to_string(count) +
                                " elements");
}

}  // namespace

struct transformer::state {
  model_spec spec;
  at::Tensor flat;
  numerics mode;
  parameters weights;
};

transformer::transformer(model_spec spec, at::Tensor flat, numerics mode) {
  check_buffer(spec, flat, "the parameter buffer");
  ops::own_kernels(flat, mode);
  parameters weights = cut(spec, flat, {});
  state_ = std::make_shared<const state>(state{std::move(spec), std::move(flat), mode, std::move(weights)});
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

void transformer::train_into(const at::Tensor &flat_gradient) {
  check_buffer(state_->spec, flat_gradient, "the gradient buffer");
  parameters weights = cut(state_->spec, state_->flat, flat_gradient);
  state_ = std::make_shared<const state>(state{state_->spec, state_->flat, state_->mode, std::move(weights)});
}

at::Tensor transformer::hidden(const at::Tensor &ids, const at::Tensor &positions, attention &how) const {
  const auto &[spec, flat, mode, weights] = *state_;
  const ops::rotary angles = ops::rotary_angles(positions, spec.head_dim, spec.rope_theta, flat.options());
  at::Tensor x = at::embedding(weights.embedding, ids);
  const std::int64_t rows = x.size(0);
  for (std::int64_t i = 0; i < spec.layers; ++i) {
    const layer_parameters &layer = weights.layers[static_cast<std::size_t>(i)];
    const at::Tensor read = ops::rms_norm(x, layer.norm, spec.norm_eps, mode);
    const at::Tensor qkv = ops::linear(read, layer.qkv, layer.qkv_bias, mode);
    const ops::heads parts = ops::split_heads(qkv, angles, spec.heads, spec.kv_heads, mode);
    const at::Tensor seen =
        how.attend(i, parts.q, parts.k, parts.v).reshape({rows, spec.heads * spec.head_dim});
    x = at::add(x, ops::linear(seen, layer.o, layer.o_bias, mode));
    const at::Tensor normed = ops::rms_norm(x, layer.mlp_norm, spec.norm_eps, mode);
    const at::Tensor gate_up = ops::linear(normed, layer.gate_up, layer.gate_up_bias, mode);
    x = at::add(x, ops::linear(ops::silu_gate(gate_up, mode), layer.down, layer.down_bias, mode));
  }
  return ops::rms_norm(x, weights.norm, spec.norm_eps, mode);
}

at::Tensor transformer::logits(const at::Tensor &hidden_states) const {
  if (!state_->weights.head.defined())
    throw input_error(
        "this model has a score head and no language-model head; use a model without one to read logits");
  return ops::linear(hidden_states, state_->weights.head, {}, state_->mode);
}

at::Tensor transformer::scores(const at::Tensor &hidden_states) const {
  if (state_->spec.labels != 1)
    throw input_error("this model has no score head; load it with one label to read scores");
  return ops::linear(hidden_states, state_->weights.score, {}, state_->mode).squeeze(1);
}

}  // namespace slipstream

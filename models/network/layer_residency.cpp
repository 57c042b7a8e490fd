#include "models/network/layer_residency.hpp"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace slipstream {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct layer_call : torch::CustomClassHolder {
  layer_call(std::shared_ptr<layer_residency> where, std::int64_t index, layer_function act)
      : residency(std::move(where)), layer(index), run(std::move(act)) {}

  std::shared_ptr<layer_residency> residency;
  std::int64_t layer;
  layer_function run;
};

at::Tensor forward(const layer_call &call, const at::Tensor &x) {
  call.residency->enter(call.layer, false);
  at::Tensor y = call.run(x);
  call.residency->leave(call.layer, false);
  return y;
}

struct recomputed : Function<recomputed> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x,
                            const c10::intrusive_ptr<layer_call> &call) {
    context->save_for_backward({x});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return slipstream::forward(*call, x);
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const auto holder = context->saved_data["call"].toCapsule();
    const auto &call = static_cast<const layer_call &>(*holder);
    const at::AutoGradMode differentiable(true);
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    call.residency->enter(call.layer, true);
    torch::autograd::backward({call.run(x)}, {gradients[0]});
    call.residency->leave(call.layer, true);
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

at::Tensor through_layer(const std::shared_ptr<layer_residency> &residency, std::int64_t layer,
                         const at::Tensor &x, const layer_function &run) {
  const auto call = c10::make_intrusive<layer_call>(residency, layer, run);
  return at::GradMode::is_enabled() ? recomputed::apply(x, call) : forward(*call, x);
}

}  // namespace slipstream

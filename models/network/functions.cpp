#include "models/network/functions.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/network/gradients.hpp"
#include "models/network/kernels.hpp"

namespace slipstream::functions {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

const float *in(const at::Tensor &x) {
  return x.data_ptr<float>();
}
float *out(const at::Tensor &x) {
  return x.data_ptr<float>();
}

struct linear_function : Function<linear_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &w) {
    const at::Tensor x = given.contiguous();
    const at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
    kernels::linear(in(x), x.size(0), x.size(1), in(w), w.size(0), nullptr, out(y));
    context->save_for_backward({x, w});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &gy = gradients[0];
    return {at::mm(gy, saved[1]), at::mm(gy.t(), saved[0])};
  }
};

struct norm_function : Function<norm_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &weight,
                            double eps) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    kernels::rms_norm(in(x), x.size(0), x.size(1), in(weight), static_cast<float>(eps), out(y));
    context->save_for_backward({x, weight});
    context->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gy = gradients[0].contiguous(), &x = saved[0], &weight = saved[1];
    const at::Tensor gx = at::empty_like(x), gw = at::zeros_like(weight);
    kernels::rms_norm_gradient(in(x), x.size(0), x.size(1), in(weight),
                               static_cast<float>(context->saved_data["eps"].toDouble()), in(gy), out(gx),
                               out(gw));
    return {gx, gw, at::Tensor()};
  }
};

struct layer_norm_function : Function<layer_norm_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &gain,
                            const at::Tensor &bias, double eps) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    kernels::layer_norm(in(x), x.size(0), x.size(1), in(gain), in(bias), static_cast<float>(eps), out(y));
    context->save_for_backward({x, gain});
    context->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gy = gradients[0].contiguous(), &x = saved[0], &gain = saved[1];
    const at::Tensor gx = at::empty_like(x), gw = at::zeros_like(gain);
    kernels::layer_norm_gradient(in(x), x.size(0), x.size(1), in(gain),
                                 static_cast<float>(context->saved_data["eps"].toDouble()), in(gy), out(gx),
                                 out(gw));
    return {gx, gw, gy.sum(0), at::Tensor()};
  }
};

struct gelu_function : Function<gelu_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    kernels::gelu_tanh(in(x), x.numel(), out(y));
    context->save_for_backward({x});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const at::Tensor x = context->get_saved_variables()[0], gy = gradients[0].contiguous();
    const at::Tensor g = at::empty_like(x);
    kernels::gelu_tanh_gradient(in(x), x.numel(), in(gy), out(g));
    return {g};
  }
};

struct gate_function : Function<gate_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given) {
    const at::Tensor gate_up = given.contiguous();
    const at::Tensor y = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
    kernels::silu_gate(in(gate_up), y.size(0), y.size(1), out(y));
    context->save_for_backward({gate_up});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0], gy = gradients[0].contiguous();
    const at::Tensor g = at::empty_like(gate_up);
    kernels::silu_gate_gradient(in(gate_up), gy.size(0), gy.size(1), in(gy), out(g));
    return {g};
  }
};

// One row's queries, keys and values stand side by side in qkv; apart in q, k and v.
struct split_function : Function<split_function> {
  static variable_list forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &cosines,
                               const at::Tensor &sines, std::int64_t count, std::int64_t kv_count) {
    const at::Tensor qkv = given.contiguous();
    const std::int64_t rows = qkv.size(0), half = cosines.size(1), dim = 2 * half;
    const at::Tensor q = at::empty({rows, count, dim}, qkv.options());
    const at::Tensor k = at::empty({rows, kv_count, dim}, qkv.options()), v = at::empty_like(k);
    const std::int64_t q_width = count * dim, k_width = kv_count * dim;
    const float *from = in(qkv);
    for (std::int64_t row = 0; row < rows; ++row, from += q_width + 2 * k_width) {
      std::copy_n(from, q_width, out(q) + row * q_width);
      std::copy_n(from + q_width, k_width, out(k) + row * k_width);
      std::copy_n(from + q_width + k_width, k_width, out(v) + row * k_width);
      kernels::rotate(in(cosines) + row * half, in(sines) + row * half, count, dim, out(q) + row * q_width);
      kernels::rotate(in(cosines) + row * half, in(sines) + row * half, kv_count, dim,
                      out(k) + row * k_width);
    }
    context->save_for_backward({cosines, sines});
    return {q, k, v};
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gq = gradients[0].contiguous(), gk = gradients[1].contiguous(),
                     gv = gradients[2].contiguous();
    const at::Tensor &cosines = saved[0], back = saved[1].neg();  // a rotation's gradient turns the other way
    const std::int64_t rows = gq.size(0), half = cosines.size(1), dim = 2 * half;
    const std::int64_t q_width = gq.size(1) * dim, k_width = gk.size(1) * dim;
    const at::Tensor g = at::empty({rows, q_width + 2 * k_width}, gq.options());
    float *to = out(g);
    for (std::int64_t row = 0; row < rows; ++row, to += q_width + 2 * k_width) {
      std::copy_n(in(gq) + row * q_width, q_width, to);
      std::copy_n(in(gk) + row * k_width, k_width, to + q_width);
      std::copy_n(in(gv) + row * k_width, k_width, to + q_width + k_width);
      kernels::rotate(in(cosines) + row * half, in(back) + row * half, gq.size(1) + gk.size(1), dim, to);
    }
    return {g, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

struct rotate_function : Function<rotate_function> {
  static at::Tensor turn(const at::Tensor &given, const at::Tensor &cosines, const at::Tensor &sines) {
    const at::Tensor x = given.clone(at::MemoryFormat::Contiguous);
    const std::int64_t half = cosines.size(1), width = x.size(1) * x.size(2);
    for (std::int64_t row = 0; row < x.size(0); ++row)
      kernels::rotate(in(cosines) + row * half, in(sines) + row * half, x.size(1), x.size(2),
                      out(x) + row * width);
    return x;
  }
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &cosines,
                            const at::Tensor &sines) {
    context->save_for_backward({cosines, sines});
    return turn(x, cosines, sines);
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    return {turn(gradients[0], saved[0], saved[1].neg()), at::Tensor(), at::Tensor()};
  }
};

// The first token that a query at position t sees.
std::int64_t first_seen(std::int64_t t, std::int64_t window) {
  return window > 0 ? std::max<std::int64_t>(0, t + 1 - window) : 0;
}

struct attention_function : Function<attention_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &q, const at::Tensor &k,
                            const at::Tensor &v, const std::vector<std::int64_t> &lengths,
                            std::int64_t window) {
    const std::int64_t heads = q.size(1), kv_heads = k.size(1), dim = q.size(2), stride = kv_heads * dim;
    const at::Tensor y = at::empty_like(q);
    std::int64_t start = 0;
    for (const std::int64_t length : lengths) {
      const float *keys = in(k) + start * stride, *values = in(v) + start * stride;
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t row = (start + t) * heads * dim;
        kernels::attend_row(in(q) + row, {&keys, &values, length, stride}, first_seen(t, window), t + 1,
                            heads, kv_heads, dim, out(y) + row);
      }
      start += length;
    }
    context->save_for_backward({q, k, v, y});
    context->saved_data["lengths"] = lengths;
    context->saved_data["window"] = window;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &y = saved[3],
                     gy = gradients[0].contiguous();
    const std::int64_t heads = q.size(1), kv_heads = k.size(1), dim = q.size(2);
    const std::int64_t window = context->saved_data["window"].toInt();
    const at::Tensor gq = at::empty_like(q), gk = at::zeros_like(k), gv = at::zeros_like(v);
    std::int64_t start = 0;
    for (const std::int64_t length : context->saved_data["lengths"].toIntVector()) {
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t row = (start + t) * heads * dim, seen = first_seen(t, window);
        const std::int64_t first = (start + seen) * kv_heads * dim;
        kernels::attend_row_gradient(in(q) + row, in(k) + first, in(v) + first, in(y) + row, in(gy) + row,
                                     t + 1 - seen, heads, kv_heads, dim, out(gq) + row, out(gk) + first,
                                     out(gv) + first);
      }
      start += length;
    }
    return {gq, gk, gv, at::Tensor(), at::Tensor()};
  }
};

struct logprob_function : Function<logprob_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &ids,
                            double scale) {
    const at::Tensor logits = given.contiguous(), all = at::empty_like(logits);
    const at::Tensor y = at::empty({logits.size(0)}, logits.options());
    const std::int64_t *id = ids.data_ptr<std::int64_t>(), width = logits.size(1);
    for (std::int64_t row = 0; row < logits.size(0); ++row) {
      kernels::log_softmax(in(logits) + row * width, width, static_cast<float>(scale),
                           out(all) + row * width);
      out(y)[row] = in(all)[row * width + id[row]];
    }
    context->save_for_backward({all, ids});
    context->saved_data["scale"] = scale;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor scaled = gradients[0].mul(context->saved_data["scale"].toDouble()).unsqueeze(1);
    const at::Tensor g = saved[0].exp().mul_(scaled.neg());
    return {g.scatter_add_(1, saved[1].unsqueeze(1), scaled), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias) {
  const at::Tensor y = linear_function::apply(x, w);
  return bias.defined() ? at::add(y, bias) : y;
}

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, double eps) {
  return norm_function::apply(x, weight, eps);
}

at::Tensor layer_norm(const at::Tensor &x, const at::Tensor &gain, const at::Tensor &bias, double eps) {
  return layer_norm_function::apply(x, gain, bias, eps);
}

at::Tensor silu_gate(const at::Tensor &gate_up) {
  return gate_function::apply(gate_up);
}

at::Tensor gelu_tanh(const at::Tensor &x) {
  return gelu_function::apply(x);
}

at::Tensor rotate(const at::Tensor &x, const ops::rotary &angles) {
  return rotate_function::apply(x, angles.cosines, angles.sines);
}

ops::heads split_heads(const at::Tensor &qkv, const ops::rotary &angles, std::int64_t count,
                       std::int64_t kv_count) {
  const variable_list parts = split_function::apply(qkv, angles.cosines, angles.sines, count, kv_count);
  return {parts[0], parts[1], parts[2]};
}

at::Tensor causal_attention(const ops::heads &parts, const std::vector<std::int64_t> &lengths,
                            std::int64_t window) {
  return attention_function::apply(parts.q.contiguous(), parts.k.contiguous(), parts.v.contiguous(), lengths,
                                   window);
}

at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale) {
  return logprob_function::apply(logits, ids.contiguous(), scale);
}

}  // namespace slipstream::functions

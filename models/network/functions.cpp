#include "models/network/functions.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>

#include "models/arithmetic/attention.hpp"
#include "models/arithmetic/parallel.hpp"
#include "models/arithmetic/product.hpp"
#include "models/arithmetic/rows.hpp"
#include "models/network/sequence_blocks.hpp"

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

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

arithmetic::operand rows_of(const at::Tensor &x) {
  return {in(x), size(x.size(1)), 1};
}
arithmetic::operand columns_of(const at::Tensor &x) {
  return {in(x), 1, size(x.size(1))};
}

// c[rows,columns] of a b, b's columns shared among the threads.
void multiply(const arithmetic::operand &a, std::int64_t rows, const arithmetic::operand &b,
              std::int64_t depth, std::int64_t columns, const at::Tensor &c, bool carry = false) {
  constexpr std::size_t strip = 48;
  const std::size_t count = size(columns);
  const auto work = [&](std::size_t first, std::size_t last) {
    arithmetic::multiply(a, size(rows), b, size(depth), first * strip, std::min(count, last * strip), out(c),
                         count, carry);
  };
  arithmetic::share_range((count + strip - 1) / strip, static_cast<double>(rows * depth * columns), work);
}

// The gradient of w by y = x w^T. Where w has a gradient already, its chains go on there, over the rows of
// one micro-batch after the other, and nothing is left to add.
at::Tensor weight_gradient(const at::Tensor &gy, const at::Tensor &x, const at::Tensor &w) {
  at::Tensor into = w.is_leaf() ? w.grad() : at::Tensor();
  const bool there = into.defined() && into.is_contiguous() && into.scalar_type() == at::kFloat;
  if (!there) into = at::empty_like(w);
  multiply(columns_of(gy), gy.size(1), columns_of(x), gy.size(0), x.size(1), into, there);
  return there ? at::Tensor() : into;
}

// work(first, last) of rows that each cost some `width` steps.
void by_rows(std::int64_t rows, std::int64_t width,
             const std::function<void(std::int64_t, std::int64_t)> &work) {
  arithmetic::share_range(size(rows), 4.0 * static_cast<double>(rows * width),
                          [&](std::size_t first, std::size_t last) {
                            work(static_cast<std::int64_t>(first), static_cast<std::int64_t>(last));
                          });
}

void each_row(std::int64_t rows, std::int64_t width, const std::function<void(std::int64_t)> &work) {
  by_rows(rows, width, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) work(row);
  });
}

struct linear_function : Function<linear_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &w) {
    const at::Tensor x = given.contiguous();
    const at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
    multiply(rows_of(x), x.size(0), rows_of(w), x.size(1), w.size(0), y);
    context->save_for_backward({x, w});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1], gy = gradients[0].contiguous();
    at::Tensor gx, gw;
    if (context->needs_input_grad(0)) {
      gx = at::empty_like(x);
      multiply(rows_of(gy), gy.size(0), columns_of(w), gy.size(1), x.size(1), gx);
    }
    if (context->needs_input_grad(1)) gw = weight_gradient(gy, x, w);
    return {gx, gw};
  }
};

struct norm_function : Function<norm_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &weight,
                            double eps) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    const std::int64_t width = x.size(1);
    by_rows(x.size(0), width, [&](std::int64_t first, std::int64_t last) {
      arithmetic::rms_norm(in(x) + first * width, last - first, width, in(weight), static_cast<float>(eps),
                           out(y) + first * width);
    });
    context->save_for_backward({x, weight});
    context->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gy = gradients[0].contiguous(), &x = saved[0], &weight = saved[1];
    const at::Tensor gx = at::empty_like(x), gw = at::zeros_like(weight);
    arithmetic::rms_norm_gradient(in(x), x.size(0), x.size(1), in(weight),
                                  static_cast<float>(context->saved_data["eps"].toDouble()), in(gy), out(gx),
                                  out(gw));
    return {gx, gw, at::Tensor()};
  }
};

struct layer_norm_function : Function<layer_norm_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &gain,
                            const at::Tensor &bias, double eps) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    arithmetic::layer_norm(in(x), x.size(0), x.size(1), in(gain), in(bias), static_cast<float>(eps), out(y));
    context->save_for_backward({x, gain});
    context->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gy = gradients[0].contiguous(), &x = saved[0], &gain = saved[1];
    const at::Tensor gx = at::empty_like(x), gw = at::zeros_like(gain);
    arithmetic::layer_norm_gradient(in(x), x.size(0), x.size(1), in(gain),
                                    static_cast<float>(context->saved_data["eps"].toDouble()), in(gy),
                                    out(gx), out(gw));
    return {gx, gw, gy.sum(0), at::Tensor()};
  }
};

struct gelu_function : Function<gelu_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    arithmetic::gelu_tanh(in(x), x.numel(), out(y));
    context->save_for_backward({x});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const at::Tensor x = context->get_saved_variables()[0], gy = gradients[0].contiguous();
    const at::Tensor g = at::empty_like(x);
    arithmetic::gelu_tanh_gradient(in(x), x.numel(), in(gy), out(g));
    return {g};
  }
};

struct gate_function : Function<gate_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given) {
    const at::Tensor gate_up = given.contiguous();
    const at::Tensor y = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
    const std::int64_t width = y.size(1);
    by_rows(y.size(0), 8 * width, [&](std::int64_t first, std::int64_t last) {
      arithmetic::silu_gate(in(gate_up) + 2 * first * width, last - first, width, out(y) + first * width);
    });
    context->save_for_backward({gate_up});
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0], gy = gradients[0].contiguous();
    const at::Tensor g = at::empty_like(gate_up);
    const std::int64_t width = gy.size(1);
    by_rows(gy.size(0), 12 * width, [&](std::int64_t first, std::int64_t last) {
      arithmetic::silu_gate_gradient(in(gate_up) + 2 * first * width, last - first, width,
                                     in(gy) + first * width, out(g) + 2 * first * width);
    });
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
    each_row(rows, q_width + 2 * k_width, [&](std::int64_t row) {
      const float *own = from + row * (q_width + 2 * k_width);
      std::copy_n(own, q_width, out(q) + row * q_width);
      std::copy_n(own + q_width, k_width, out(k) + row * k_width);
      std::copy_n(own + q_width + k_width, k_width, out(v) + row * k_width);
      arithmetic::rotate(in(cosines) + row * half, in(sines) + row * half, count, dim,
                         out(q) + row * q_width);
      arithmetic::rotate(in(cosines) + row * half, in(sines) + row * half, kv_count, dim,
                         out(k) + row * k_width);
    });
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
    each_row(rows, q_width + 2 * k_width, [&](std::int64_t row) {
      float *own = to + row * (q_width + 2 * k_width);
      std::copy_n(in(gq) + row * q_width, q_width, own);
      std::copy_n(in(gk) + row * k_width, k_width, own + q_width);
      std::copy_n(in(gv) + row * k_width, k_width, own + q_width + k_width);
      arithmetic::rotate(in(cosines) + row * half, in(back) + row * half, gq.size(1) + gk.size(1), dim, own);
    });
    return {g, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

struct rotate_function : Function<rotate_function> {
  static at::Tensor turn(const at::Tensor &given, const at::Tensor &cosines, const at::Tensor &sines) {
    const at::Tensor x = given.clone(at::MemoryFormat::Contiguous);
    const std::int64_t half = cosines.size(1), width = x.size(1) * x.size(2);
    for (std::int64_t row = 0; row < x.size(0); ++row)
      arithmetic::rotate(in(cosines) + row * half, in(sines) + row * half, x.size(1), x.size(2),
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

struct attention_function : Function<attention_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &q, const at::Tensor &k,
                            const at::Tensor &v, const std::vector<std::int64_t> &lengths,
                            std::int64_t window) {
    const at::Tensor y = at::empty_like(q);
    std::vector<attended_run> runs;
    std::int64_t start = 0;
    for (const std::int64_t length : lengths) {
      runs.push_back({start, length, {}});
      start += length;
    }
    attend_runs({in(q), in(k), in(v), q.size(1), k.size(1), q.size(2)}, runs, window, out(y));
    context->save_for_backward({q, k, v, y});
    context->saved_data["lengths"] = lengths;
    context->saved_data["window"] = window;
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &y = saved[3],
                     gy = gradients[0].contiguous();
    const at::Tensor gq = at::empty_like(q), gk = at::zeros_like(k), gv = at::zeros_like(v);
    const std::vector<std::int64_t> lengths = context->saved_data["lengths"].toIntVector();
    const std::int64_t heads = q.size(1), kv_heads = k.size(1), dim = q.size(2);
    const auto window = context->saved_data["window"].toInt();
    std::vector<std::int64_t> starts;
    double cost = 0;
    std::int64_t start = 0;
    for (const std::int64_t length : lengths) {
      starts.push_back(start);
      start += length;
      cost += 3.0 * static_cast<double>(length * length * heads * dim);
    }
    arithmetic::share(lengths.size() * size(kv_heads), cost, [&](std::size_t i) {
      const std::size_t sequence = i / size(kv_heads);
      const std::int64_t row = starts[sequence] * heads * dim, kv = starts[sequence] * kv_heads * dim;
      const arithmetic::attention_pass pass{
          in(q) + row, in(k) + kv,     in(v) + kv, in(y) + row, in(gy) + row, size(lengths[sequence]),
          size(heads), size(kv_heads), size(dim),  size(window)};
      arithmetic::attention_gradient(pass, i % size(kv_heads), out(gq) + row, out(gk) + kv, out(gv) + kv);
    });
    return {gq, gk, gv, at::Tensor(), at::Tensor()};
  }
};

void keep_sets(AutogradContext *context, const kept_rows &kept) {
  if (kept.empty()) return;
  context->saved_data["starts"] = kept.starts;
  context->saved_data["kept"] = kept.ids;
}

kept_rows sets_of(AutogradContext *context) {
  const auto found = context->saved_data.find("starts");
  if (found == context->saved_data.end()) return {};
  return {found->second.toIntVector(), context->saved_data["kept"].toIntVector()};
}

std::span<const std::int64_t> set_of(const kept_rows &kept, std::int64_t row) {
  return kept.empty() ? std::span<const std::int64_t>() : kept.of(row);
}

// The log-probability of row's `id`, whose log_sum_exp is `sum`.
float chosen_logprob(const float *logits, std::int64_t width, std::int64_t id, float scale, float sum,
                     std::span<const std::int64_t> kept) {
  return kept.empty() ? logits[id] * scale - sum : kept_logprob(logits, width, id, kept, scale);
}

// Its gradient g[width] by the logits; g may be logits.
void chosen_slopes(const float *logits, std::int64_t width, std::int64_t id, float scale, float sum,
                   std::span<const std::int64_t> kept, float gy, float *g) {
  if (kept.empty()) {
    arithmetic::scale_and_shift(logits, width, scale, sum, g);
    arithmetic::log_softmax_gradient(g, width, id, scale, gy, g);
    return;
  }
  thread_local std::vector<float> apart;
  apart.resize(size(width));
  kept_logprob_gradient(logits, width, id, kept, scale, gy, apart.data());
  std::copy(apart.begin(), apart.end(), g);
}

struct logprob_function : Function<logprob_function> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &ids,
                            double scale, const kept_rows &kept) {
    const at::Tensor logits = given.contiguous();
    const at::Tensor y = at::empty({logits.size(0)}, logits.options()), whole = at::empty_like(y);
    const std::int64_t *id = ids.data_ptr<std::int64_t>(), width = logits.size(1);
    each_row(logits.size(0), 8 * width, [&](std::int64_t row) {
      const float *own = in(logits) + row * width;
      const float sum = arithmetic::log_sum_exp(own, width, static_cast<float>(scale));
      out(whole)[row] = sum;
      out(y)[row] = chosen_logprob(own, width, id[row], static_cast<float>(scale), sum, set_of(kept, row));
    });
    context->save_for_backward({logits, ids, whole});
    context->saved_data["scale"] = scale;
    keep_sets(context, kept);
    return y;
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &logits = saved[0], &whole = saved[2], gy = gradients[0].contiguous(),
                     g = at::empty_like(logits);
    const std::int64_t *id = saved[1].data_ptr<std::int64_t>(), width = logits.size(1);
    const auto scale = static_cast<float>(context->saved_data["scale"].toDouble());
    const kept_rows kept = sets_of(context);
    each_row(g.size(0), 12 * width, [&](std::int64_t row) {
      chosen_slopes(in(logits) + row * width, width, id[row], scale, in(whole)[row], set_of(kept, row),
                    in(gy)[row], out(g) + row * width);
    });
    return {g, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// Rows whose logits are there at once: some 100 MB of a large vocabulary's, and enough rows for the products.
std::int64_t rows_at_once(std::int64_t vocabulary) {
  return std::clamp<std::int64_t>((std::int64_t{24} << 20) / vocabulary, 1, 512);
}

// Up to so many bytes of logits are kept for the backward pass, which else computes them again: a sixth of a
// small model's time.
constexpr std::int64_t kept_logits = std::int64_t{400} << 20;

// act(first row, their logits) of x w^T, in chunks of rows: the rows of `kept`, or memory that the next chunk
// overwrites.
template <class Act>
void each_chunk(const at::Tensor &x, const at::Tensor &w, const at::Tensor &kept, bool computed,
                const Act &act) {
  // from one call to the next: fresh memory of this size costs as much as the work on it
  thread_local std::vector<float> memory;
  const std::int64_t rows = x.size(0), width = w.size(0), most = rows_at_once(width);
  if (!kept.defined()) memory.resize(std::max(memory.size(), size(std::min(rows, most) * width)));
  for (std::int64_t first = 0; first < rows; first += most) {
    const std::int64_t count = std::min(most, rows - first);
    const at::Tensor part = x.narrow(0, first, count);
    const at::Tensor logits = kept.defined() ? kept.narrow(0, first, count)
                                             : at::from_blob(memory.data(), {count, width}, x.options());
    if (!computed) multiply(rows_of(part), count, rows_of(w), x.size(1), width, logits);
    act(first, logits);
  }
}

struct chosen_function : Function<chosen_function> {
  static variable_list forward(AutogradContext *context, const at::Tensor &given, const at::Tensor &w,
                               const at::Tensor &ids, double scale, const kept_rows &kept_sets,
                               bool with_entropy) {
    const at::Tensor x = given.contiguous();
    const at::Tensor y = at::empty({x.size(0)}, x.options()), whole = at::empty_like(y),
                     entropy = at::empty({with_entropy ? x.size(0) : 0}, x.options());
    const bool keep = (given.requires_grad() || w.requires_grad()) &&
                      x.size(0) * w.size(0) * static_cast<std::int64_t>(sizeof(float)) <= kept_logits;
    const at::Tensor kept = keep ? at::empty({x.size(0), w.size(0)}, x.options()) : at::Tensor();
    each_chunk(x, w, kept, false, [&](std::int64_t first, const at::Tensor &logits) {
      const std::int64_t width = logits.size(1), *id = ids.data_ptr<std::int64_t>();
      by_rows(logits.size(0), 8 * width, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const float *own = in(logits) + row * width;
          const float sum = arithmetic::log_sum_exp(own, width, static_cast<float>(scale));
          out(whole)[first + row] = sum;
          out(y)[first + row] = chosen_logprob(own, width, id[first + row], static_cast<float>(scale), sum,
                                               set_of(kept_sets, first + row));
          if (with_entropy)
            out(entropy)[first + row] =
                arithmetic::softmax_entropy(own, width, static_cast<float>(scale), sum);
        }
      });
    });
    context->save_for_backward({x, w, ids, whole, kept});
    context->saved_data["scale"] = scale;
    keep_sets(context, kept_sets);
    context->mark_non_differentiable({entropy});
    return {y, entropy};
  }
  static variable_list backward(AutogradContext *context, const variable_list &gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1], &whole = saved[3], &kept = saved[4],
                     gy = gradients[0].contiguous();
    const std::int64_t *id = saved[2].data_ptr<std::int64_t>();
    const auto scale = static_cast<float>(context->saved_data["scale"].toDouble());
    const kept_rows kept_sets = sets_of(context);
    const at::Tensor gx = context->needs_input_grad(0) ? at::empty_like(x) : at::Tensor();
    const at::Tensor room =
        kept.defined() ? at::empty({std::min(x.size(0), rows_at_once(w.size(0))), w.size(0)}, x.options())
                       : at::Tensor();
    at::Tensor gw;
    each_chunk(x, w, kept, kept.defined(), [&](std::int64_t first, const at::Tensor &logits) {
      const std::int64_t width = logits.size(1), count = logits.size(0);
      const at::Tensor g =
          kept.defined() ? room.narrow(0, 0, count) : logits;  // what is kept may be asked for again
      by_rows(count, 12 * width, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          chosen_slopes(in(logits) + row * width, width, id[first + row], scale, in(whole)[first + row],
                        set_of(kept_sets, first + row), in(gy)[first + row], out(g) + row * width);
        }
      });
      if (gx.defined())
        multiply(rows_of(g), count, columns_of(w), width, x.size(1), gx.narrow(0, first, count));
      if (!context->needs_input_grad(1)) return;
      const at::Tensor part = weight_gradient(g, x.narrow(0, first, count), w);
      if (part.defined()) gw = gw.defined() ? gw.add_(part) : part;
    });
    return {gx, gw, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

ops::chosen_scores chosen_logprobs(const at::Tensor &hidden, const at::Tensor &w, const at::Tensor &ids,
                                   double scale, const kept_rows &kept, bool with_entropy) {
  const variable_list found = chosen_function::apply(hidden, w, ids.contiguous(), scale, kept, with_entropy);
  return {found[0], with_entropy ? found[1] : at::Tensor()};
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias) {
  const at::Tensor y = linear_function::apply(x, w);
  return bias.defined() ? at::add(y, bias) : y;
}

void linear(const at::Tensor &x, const arithmetic::packed_matrix &w, float *y) {
  const double cost = static_cast<double>(x.numel()) * static_cast<double>(w.columns());
  constexpr std::size_t together = arithmetic::panels_together;
  arithmetic::share_range((w.panels() + together - 1) / together, cost,
                          [&](std::size_t first, std::size_t last) {
                            arithmetic::multiply(rows_of(x), size(x.size(0)), w, first * together,
                                                 std::min(w.panels(), last * together), y, w.columns());
                          });
}

at::Tensor linear(const at::Tensor &given, const arithmetic::packed_matrix &w, const at::Tensor &bias) {
  const at::Tensor x = given.contiguous();
  const at::Tensor y = at::empty({x.size(0), static_cast<std::int64_t>(w.columns())}, x.options());
  linear(x, w, out(y));
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

at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale,
                          const kept_rows &kept) {
  return logprob_function::apply(logits, ids.contiguous(), scale, kept);
}

}  // namespace slipstream::functions

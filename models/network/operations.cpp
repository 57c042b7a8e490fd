#include "models/network/operations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "models/arithmetic/scalar.hpp"
#include "models/error.hpp"
#include "models/network/functions.hpp"

namespace slipstream::ops {
namespace {

// x[N,heads,head_dim] turned by the angles of its rows.
at::Tensor rotate(const at::Tensor &x, const rotary &angles, numerics mode) {
  if (!angles.cosines.defined()) return x;
  if (own_kernels(x, mode)) return functions::rotate(x, angles);
  const std::int64_t half = angles.cosines.size(1);
  const at::Tensor low = x.narrow(2, 0, half), high = x.narrow(2, half, half);
  const at::Tensor c = angles.cosines.unsqueeze(1), s = angles.sines.unsqueeze(1);
  return at::cat({low * c - high * s, high * c + low * s}, 2);
}

void write_angles(std::int64_t position, const at::Tensor &frequencies, float *cosines, float *sines) {
  const float *frequency = frequencies.data_ptr<float>();
  for (std::int64_t i = 0; i < frequencies.size(0); ++i) {
    const float angle = static_cast<float>(position) * frequency[i];  // rounded as transformers rounds it
    const auto [sine, cosine] = arithmetic::turn(static_cast<double>(angle));
    cosines[i] = static_cast<float>(cosine);
    sines[i] = static_cast<float>(sine);
  }
}

// Where each row stands in a [B,T] grid, and which row each cell of the grid holds (padding: row 0).
struct grid {
  at::Tensor cells, rows;
  std::int64_t width;
};

grid make_grid(const std::vector<std::int64_t> &lengths, at::Device device) {
  const std::int64_t width = *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::int64_t> cells, rows(lengths.size() * static_cast<std::size_t>(width));
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    for (std::int64_t t = 0; t < lengths[b]; ++t) {
      const std::int64_t cell = static_cast<std::int64_t>(b) * width + t;
      rows[static_cast<std::size_t>(cell)] = static_cast<std::int64_t>(cells.size());
      cells.push_back(cell);
    }
  }
  return {at::tensor(cells, at::kLong).to(device), at::tensor(rows, at::kLong).to(device), width};
}

// Through LibTorch's operators: a padded grid, a triangular mask, heads of one group side by side.
at::Tensor attend_plain(const heads &in, const std::vector<std::int64_t> &lengths, std::int64_t window) {
  const grid g = make_grid(lengths, in.q.device());
  const auto batch = static_cast<std::int64_t>(lengths.size());
  const std::int64_t count = in.q.size(1), kv = in.k.size(1), dim = in.q.size(2);
  const auto spread = [&](const at::Tensor &x) {
    return x.index_select(0, g.rows).view({batch, g.width, x.size(1), dim}).transpose(1, 2);
  };
  const at::Tensor q = spread(in.q).reshape({batch, kv, count / kv * g.width, dim});
  const at::Tensor k = spread(in.k), v = spread(in.v);
  const at::Tensor all = at::ones({g.width, g.width}, in.q.options().dtype(at::kBool));
  const at::Tensor mask = window > 0 ? all.triu(1).logical_or(all.tril(-window)) : all.triu(1);
  at::Tensor scores = at::matmul(q, k.transpose(2, 3)) * (1.0 / std::sqrt(static_cast<double>(dim)));
  scores = scores.view({batch, kv, count / kv, g.width, g.width}).masked_fill(mask, -INFINITY);
  const at::Tensor weights = at::softmax(scores, -1).view({batch, kv, count / kv * g.width, g.width});
  const at::Tensor out = at::matmul(weights, v).view({batch, count, g.width, dim});
  return out.transpose(1, 2).reshape({batch * g.width, count, dim}).index_select(0, g.cells);
}

// Which logits [N,V] are not among the kept ones of their row.
at::Tensor left_out(const kept_rows &kept, const at::Tensor &logits) {
  at::Tensor result = at::zeros(logits.sizes(), at::kBool);
  bool *row = result.data_ptr<bool>();
  for (std::int64_t i = 0; i < logits.size(0); ++i, row += logits.size(1)) {
    const auto own = kept.of(i);
    if (own.empty()) continue;
    std::fill_n(row, logits.size(1), true);
    for (const std::int64_t token : own)
      if (token < logits.size(1)) row[token] = false;
  }
  return result.to(logits.device());
}

}  // namespace

bool own_kernels(const at::Tensor &x, numerics mode) {
  const bool can = x.is_cpu() && x.scalar_type() == at::kFloat;
  if (!can && mode == numerics::exact)
    throw input_error(
        "numerics = \"exact\" computes in float32 on the cpu; use device = \"cpu\", or \"fast\"");
  return can;
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias, numerics mode) {
  if (own_kernels(x, mode)) return functions::linear(x, w, bias);
  return at::linear(x, w, bias);
}

at::Tensor adapted_linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias,
                          const std::vector<low_rank> &adapters, numerics mode,
                          const arithmetic::packed_matrix *packed) {
  at::Tensor y = packed ? functions::linear(x, *packed, bias) : linear(x, w, bias, mode);
  if (adapters.empty()) return y;
  std::vector<at::Tensor> parts;  // of the whole width, zero where no adapter acts
  std::int64_t next = 0;
  const auto fill = [&](std::int64_t until) {
    if (until > next) parts.push_back(at::zeros({y.size(0), until - next}, y.options()));
  };
  for (const low_rank &pair : adapters) {
    fill(pair.first_output);
    parts.push_back(linear(linear(x, pair.a, {}, mode), pair.b, {}, mode) * pair.scale);
    next = pair.first_output + pair.b.size(0);
  }
  fill(y.size(1));
  return at::add(y, parts.size() == 1 ? parts.front() : at::cat(parts, 1));
}

at::Tensor norm(const at::Tensor &x, const norm_weights &weights, double eps, numerics mode) {
  const auto &[gain, bias] = weights;
  if (bias.defined()) {
    if (own_kernels(x, mode)) return functions::layer_norm(x, gain, bias, eps);
    return at::layer_norm(x, {x.size(-1)}, gain, bias, eps);
  }
  if (own_kernels(x, mode)) return functions::rms_norm(x, gain, eps);
  return x * at::rsqrt(x.square().mean(-1, true) + eps) * gain;
}

at::Tensor activate(const at::Tensor &x, activation_kind kind, numerics mode) {
  if (kind == activation_kind::gelu_tanh)
    return own_kernels(x, mode) ? functions::gelu_tanh(x) : at::gelu(x, "tanh");
  if (own_kernels(x, mode)) return functions::silu_gate(x);
  const auto halves = x.chunk(2, -1);
  return at::silu(halves[0]) * halves[1];
}

rotary rotary_angles(const at::Tensor &positions, const at::Tensor &frequencies,
                     const at::TensorOptions &options) {
  const std::int64_t half = frequencies.size(0);
  if (!positions.is_cpu()) {
    const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.to(positions.device());
    return {angles.cos().to(options), angles.sin().to(options)};
  }
  const at::Tensor dense = positions.contiguous();
  const std::int64_t *position = dense.data_ptr<std::int64_t>();
  const at::Tensor cosines = at::empty({positions.size(0), half}, at::kFloat),
                   sines = at::empty_like(cosines);
  float *c = cosines.data_ptr<float>(), *s = sines.data_ptr<float>();
  std::unordered_map<std::int64_t, std::int64_t> known;  // the sequences of a batch share their positions
  for (std::int64_t i = 0; i < positions.size(0); ++i) {
    const auto [row, fresh] = known.try_emplace(position[i], i);
    if (fresh) {
      write_angles(position[i], frequencies, c + i * half, s + i * half);
    } else {
      std::copy_n(c + row->second * half, half, c + i * half);
      std::copy_n(s + row->second * half, half, s + i * half);
    }
  }
  return {cosines.to(options), sines.to(options)};
}

heads split_heads(const at::Tensor &qkv, const rotary &angles, const norm_weights &q_norm,
                  const norm_weights &k_norm, const model_spec &spec, numerics mode) {
  const std::int64_t count = spec.heads, kv_count = spec.kv_heads, dim = spec.head_dim, rows = qkv.size(0);
  if (!spec.qk_norm && angles.cosines.defined() && own_kernels(qkv, mode))
    return functions::split_heads(qkv, angles, count, kv_count);
  const at::Tensor all = qkv.view({rows, count + 2 * kv_count, dim});
  at::Tensor q = all.narrow(1, 0, count), k = all.narrow(1, count, kv_count);
  if (spec.qk_norm) {
    q = norm(q.reshape({rows * count, dim}), q_norm, spec.norm_eps, mode).view({rows, count, dim});
    k = norm(k.reshape({rows * kv_count, dim}), k_norm, spec.norm_eps, mode).view({rows, kv_count, dim});
  }
  return {rotate(q, angles, mode), rotate(k, angles, mode), all.narrow(1, count + kv_count, kv_count)};
}

at::Tensor causal_attention(const heads &in, const std::vector<std::int64_t> &lengths, std::int64_t window,
                            numerics mode) {
  if (own_kernels(in.q, mode)) return functions::causal_attention(in, lengths, window);
  return attend_plain(in, lengths, window);
}

at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale,
                          const kept_rows &kept, numerics mode) {
  if (own_kernels(logits, mode)) return functions::token_logprobs(logits, ids, scale, kept);
  const at::Tensor scaled = logits * scale;
  const at::Tensor over = kept.empty() ? scaled : scaled.masked_fill(left_out(kept, scaled), -INFINITY);
  return at::log_softmax(over, -1).gather(1, ids.unsqueeze(1)).squeeze(1);
}

}  // namespace slipstream::ops

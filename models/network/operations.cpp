#include "models/network/operations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "models/error.hpp"
#include "models/network/functions.hpp"
#include "models/network/kernels.hpp"

namespace slipstream::ops {
namespace {

heads split_plain(const at::Tensor &qkv, const rotary &angles, std::int64_t count, std::int64_t kv_count) {
  const std::int64_t rows = qkv.size(0), half = angles.cosines.size(1);
  const at::Tensor all = qkv.view({rows, count + 2 * kv_count, 2 * half});
  const at::Tensor turned = all.narrow(1, 0, count + kv_count);
  const at::Tensor low = turned.narrow(2, 0, half), high = turned.narrow(2, half, half);
  const at::Tensor c = angles.cosines.unsqueeze(1), s = angles.sines.unsqueeze(1);
  const at::Tensor rotated = at::cat({low * c - high * s, high * c + low * s}, 2);
  return {rotated.narrow(1, 0, count), rotated.narrow(1, count, kv_count),
          all.narrow(1, count + kv_count, kv_count)};
}

// Where each row stands in a [B,T] grid, and which row each place of the grid holds (padding: row 0).
struct grid {
  at::Tensor places, rows;
  std::int64_t width;
};

grid make_grid(const std::vector<std::int64_t> &lengths, at::Device device) {
  const std::int64_t width = *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::int64_t> places, rows(lengths.size() * static_cast<std::size_t>(width));
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    for (std::int64_t t = 0; t < lengths[b]; ++t) {
      const std::int64_t place = static_cast<std::int64_t>(b) * width + t;
      rows[static_cast<std::size_t>(place)] = static_cast<std::int64_t>(places.size());
      places.push_back(place);
    }
  }
  return {at::tensor(places, at::kLong).to(device), at::tensor(rows, at::kLong).to(device), width};
}

// Through LibTorch's operators: a padded grid, a triangular mask, heads of one group side by side.
at::Tensor attend_plain(const heads &in, const std::vector<std::int64_t> &lengths) {
  const grid g = make_grid(lengths, in.q.device());
  const auto batch = static_cast<std::int64_t>(lengths.size());
  const std::int64_t count = in.q.size(1), kv = in.k.size(1), dim = in.q.size(2);
  const auto spread = [&](const at::Tensor &x) {
    return x.index_select(0, g.rows).view({batch, g.width, x.size(1), dim}).transpose(1, 2);
  };
  const at::Tensor q = spread(in.q).reshape({batch, kv, count / kv * g.width, dim});
  const at::Tensor k = spread(in.k), v = spread(in.v);
  const at::Tensor mask = at::ones({g.width, g.width}, in.q.options().dtype(at::kBool)).triu(1);
  at::Tensor scores = at::matmul(q, k.transpose(2, 3)) * (1.0 / std::sqrt(static_cast<double>(dim)));
  scores = scores.view({batch, kv, count / kv, g.width, g.width}).masked_fill(mask, -INFINITY);
  const at::Tensor weights = at::softmax(scores, -1).view({batch, kv, count / kv * g.width, g.width});
  const at::Tensor out = at::matmul(weights, v).view({batch, count, g.width, dim});
  return out.transpose(1, 2).reshape({batch * g.width, count, dim}).index_select(0, g.places);
}

// Beyond this length LibTorch's matrix products are worth their padding in fast numerics.
constexpr std::int64_t short_sequence = 128;

}  // namespace

bool own_kernels(const at::Tensor &x, numerics mode) {
  const bool can = x.is_cpu() && x.scalar_type() == at::kFloat;
  if (!can && mode == numerics::exact)
    throw input_error(
        "numerics = \"exact\" computes in float32 on the cpu; use device = \"cpu\", or \"fast\"");
  return can;
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias, numerics mode) {
  if (mode == numerics::exact && own_kernels(x, mode)) return functions::linear(x, w, bias);
  return at::linear(x, w, bias);
}

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, double eps, numerics mode) {
  if (own_kernels(x, mode)) return functions::rms_norm(x, weight, eps);
  return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight;
}

at::Tensor silu_gate(const at::Tensor &gate_up, numerics mode) {
  if (own_kernels(gate_up, mode)) return functions::silu_gate(gate_up);
  const auto halves = gate_up.chunk(2, -1);
  return at::silu(halves[0]) * halves[1];
}

rotary rotary_angles(const at::Tensor &positions, std::int64_t head_dim, double theta,
                     const at::TensorOptions &options) {
  const at::Tensor frequencies = at::empty({head_dim / 2}, at::kFloat);
  kernels::rotary_frequencies(head_dim, theta, frequencies.data_ptr<float>());
  if (!positions.is_cpu()) {
    const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.to(positions.device());
    return {angles.cos().to(options), angles.sin().to(options)};
  }
  const at::Tensor dense = positions.contiguous();
  const std::int64_t *position = dense.data_ptr<std::int64_t>(), half = head_dim / 2;
  const at::Tensor cosines = at::empty({positions.size(0), half}, at::kFloat),
                   sines = at::empty_like(cosines);
  float *c = cosines.data_ptr<float>(), *s = sines.data_ptr<float>();
  std::unordered_map<std::int64_t, std::int64_t> known;  // the sequences of a batch share their positions
  for (std::int64_t i = 0; i < positions.size(0); ++i) {
    const auto [row, fresh] = known.try_emplace(position[i], i);
    if (fresh) {
      kernels::rotary_angles(position[i], head_dim, frequencies.data_ptr<float>(), c + i * half,
                             s + i * half);
    } else {
      std::copy_n(c + row->second * half, half, c + i * half);
      std::copy_n(s + row->second * half, half, s + i * half);
    }
  }
  return {cosines.to(options), sines.to(options)};
}

heads split_heads(const at::Tensor &qkv, const rotary &angles, std::int64_t count, std::int64_t kv_count,
                  numerics mode) {
  if (own_kernels(qkv, mode)) return functions::split_heads(qkv, angles, count, kv_count);
  return split_plain(qkv, angles, count, kv_count);
}

at::Tensor causal_attention(const heads &in, const std::vector<std::int64_t> &lengths, numerics mode) {
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  if (own_kernels(in.q, mode) && (mode == numerics::exact || longest <= short_sequence))
    return functions::causal_attention(in, lengths);
  return attend_plain(in, lengths);
}

at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale, numerics mode) {
  if (own_kernels(logits, mode)) return functions::token_logprobs(logits, ids, scale);
  return at::log_softmax(logits * scale, -1).gather(1, ids.unsqueeze(1)).squeeze(1);
}

}  // namespace slipstream::ops

#include "models/network/packed_pass.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <stdexcept>

#include "models/arithmetic/parallel.hpp"
#include "models/arithmetic/rows.hpp"

namespace slipstream::network {
namespace {

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// Rows of floats that later passes of the thread use again: fresh memory costs as much as the work on it.
class room {
 public:
  float *rows(std::int64_t count, std::int64_t width) {
    memory_.resize(std::max(memory_.size(), size(count * width)));
    return memory_.data();
  }

 private:
  std::vector<float> memory_;
};

struct rooms {
  room x, normed, qkv, seen, added, up, gated, low, high;
};

// act(row) for every row, which costs some `width` steps.
template <class Act>
void each_row(std::int64_t rows, std::int64_t width, const Act &act) {
  arithmetic::share_range(size(rows), 4.0 * static_cast<double>(rows * width),
                          [&](std::size_t first, std::size_t last) {
                            for (std::size_t row = first; row < last; ++row)
                              act(static_cast<std::int64_t>(row));
                          });
}

class pass {
 public:
  pass(const packed_model &model, std::int64_t rows, const ops::rotary &angles, attention &how)
      : spec_(model.spec), model_(model), rows_(rows), angles_(angles), how_(how) {}

  // Throws out_of_range for tokens and positions that the model does not have.
  void embed(const std::int64_t *ids, const std::int64_t *positions, float *x) const {
    const std::int64_t hidden = spec_.hidden_size;
    const float *table = model_.weights.embedding.data_ptr<float>();
    const float *places =
        model_.weights.positions.defined() ? model_.weights.positions.data_ptr<float>() : nullptr;
    const auto within = [this](const std::int64_t *from, std::int64_t count) {
      return std::all_of(from, from + rows_, [count](std::int64_t i) { return i >= 0 && i < count; });
    };
    if (!within(ids, spec_.vocab_size) || (places && !within(positions, spec_.max_positions)))
      throw std::out_of_range("a token or a position that the model does not have");
    each_row(rows_, hidden, [&](std::int64_t row) {
      std::copy_n(table + ids[row] * hidden, hidden, x + row * hidden);
      if (places) arithmetic::add(places + positions[row] * hidden, hidden, x + row * hidden);
    });
  }

  void layer(std::int64_t index, rooms &own, float *x) const {
    const layer_parameters &w = model_.weights.layers[size(index)];
    const std::int64_t hidden = spec_.hidden_size, wide = spec_.heads * spec_.head_dim,
                       qkv_width = wide + 2 * spec_.kv_heads * spec_.head_dim, up_width = w.up.weight.size(0),
                       middle = spec_.intermediate_size;
    float *normed = own.normed.rows(rows_, hidden), *qkv = own.qkv.rows(rows_, qkv_width),
          *seen = own.seen.rows(rows_, wide), *added = own.added.rows(rows_, hidden),
          *up = own.up.rows(rows_, up_width), *gated = own.gated.rows(rows_, middle);
    norm(w.norm, x, normed);
    linear(w.qkv, own, normed, hidden, qkv);
    turn(w, qkv, qkv_width);
    how_.attend_rows(index, spec_.window(index),
                     {qkv, qkv + wide, qkv + wide + spec_.kv_heads * spec_.head_dim, qkv_width, rows_,
                      spec_.heads, spec_.kv_heads, spec_.head_dim},
                     seen);
    linear(w.output, own, seen, wide, added);
    add(added, x);
    norm(w.mlp_norm, x, normed);
    linear(w.up, own, normed, hidden, up);
    activate(up, gated);
    linear(w.down, own, gated, middle, added);
    add(added, x);
  }

  void norm(const ops::norm_weights &w, const float *x, float *y) const {
    const std::int64_t hidden = spec_.hidden_size;
    const auto eps = static_cast<float>(spec_.norm_eps);
    const float *gain = w.gain.data_ptr<float>(),
                *bias = w.bias.defined() ? w.bias.data_ptr<float>() : nullptr;
    each_row(rows_, hidden, [&](std::int64_t row) {
      const float *from = x + row * hidden;
      float *to = y + row * hidden;
      if (bias)
        arithmetic::layer_norm(from, 1, hidden, gain, bias, eps, to);
      else
        arithmetic::rms_norm(from, 1, hidden, gain, eps, to);
    });
  }

 private:
  void linear(const linear_weights &w, rooms &own, const float *x, std::int64_t depth, float *y) const {
    const arithmetic::packed_matrix &matrix = model_.matrices[w.index];
    const std::size_t columns = matrix.columns();
    const double cost = static_cast<double>(rows_ * depth) * static_cast<double>(columns);
    const float *bias = w.bias.defined() ? w.bias.data_ptr<float>() : nullptr;
    constexpr std::size_t together = arithmetic::panels_together;
    const std::size_t panels = matrix.panels();
    arithmetic::share_range((panels + together - 1) / together, cost, [&](std::size_t from, std::size_t to) {
      const std::size_t first = from * together, last = std::min(panels, to * together);
      arithmetic::multiply({x, size(depth), 1}, size(rows_), matrix, first, last, y, columns);
      if (!bias) return;
      const std::size_t begin = first * arithmetic::panel_width,
                        end = std::min(columns, last * arithmetic::panel_width);
      for (std::size_t row = 0; row < size(rows_); ++row)
        arithmetic::add(bias + begin, static_cast<std::int64_t>(end - begin), y + row * columns + begin);
    });
    for (const ops::low_rank &pair : w.adapters) adapt(pair, own, x, depth, y, columns);
  }

  // y += scale (x a^T) b^T, in the pair's own columns.
  void adapt(const ops::low_rank &pair, rooms &own, const float *x, std::int64_t depth, float *y,
             std::size_t columns) const {
    const std::int64_t rank = pair.a.size(0), wide = pair.b.size(0);
    float *low = own.low.rows(rows_, rank), *high = own.high.rows(rows_, wide);
    product(x, pair.a, depth, rank, low);
    product(low, pair.b, rank, wide, high);
    const auto scale = static_cast<float>(pair.scale);
    each_row(rows_, wide, [&](std::int64_t row) {
      float *part = high + row * wide;
      arithmetic::scale_and_shift(part, wide, scale, 0.0f, part);
      arithmetic::add(part, wide, y + size(row) * columns + size(pair.first_output));
    });
  }

  void product(const float *x, const at::Tensor &w, std::int64_t depth, std::int64_t wide, float *y) const {
    constexpr std::size_t strip = 48;
    const std::size_t columns = size(wide);
    arithmetic::share_range((columns + strip - 1) / strip, static_cast<double>(rows_ * depth * wide),
                            [&](std::size_t first, std::size_t last) {
                              arithmetic::multiply(
                                  {x, size(depth), 1}, size(rows_), {w.data_ptr<float>(), size(depth), 1},
                                  size(depth), first * strip, std::min(columns, last * strip), y, columns);
                            });
  }

  // Heads normalised and rotated where they stand.
  void turn(const layer_parameters &w, float *qkv, std::int64_t width) const {
    const std::int64_t dim = spec_.head_dim, heads = spec_.heads, kv_heads = spec_.kv_heads;
    const auto eps = static_cast<float>(spec_.norm_eps);
    const bool rotary = angles_.cosines.defined();
    if (!rotary && !spec_.qk_norm) return;
    const float *cosines = rotary ? angles_.cosines.data_ptr<float>() : nullptr,
                *sines = rotary ? angles_.sines.data_ptr<float>() : nullptr;
    each_row(rows_, 2 * (heads + kv_heads) * dim, [&](std::int64_t row) {
      float *q = qkv + row * width, *k = q + heads * dim;
      if (spec_.qk_norm) {
        arithmetic::rms_norm(q, heads, dim, w.q_norm.gain.data_ptr<float>(), eps, q);
        arithmetic::rms_norm(k, kv_heads, dim, w.k_norm.gain.data_ptr<float>(), eps, k);
      }
      if (rotary)
        arithmetic::rotate(cosines + row * dim / 2, sines + row * dim / 2, heads + kv_heads, dim, q);
    });
  }

  void activate(const float *up, float *gated) const {
    const std::int64_t middle = spec_.intermediate_size;
    each_row(rows_, 8 * middle, [&](std::int64_t row) {
      if (spec_.activation == activation_kind::silu_gated)
        arithmetic::silu_gate(up + row * 2 * middle, 1, middle, gated + row * middle);
      else
        arithmetic::gelu_tanh(up + row * middle, middle, gated + row * middle);
    });
  }

  void add(const float *from, float *to) const {
    const std::int64_t hidden = spec_.hidden_size;
    each_row(rows_, hidden / 2,
             [&](std::int64_t row) { arithmetic::add(from + row * hidden, hidden, to + row * hidden); });
  }

  const model_spec &spec_;
  const packed_model &model_;
  std::int64_t rows_;
  const ops::rotary &angles_;
  attention &how_;
};

}  // namespace

at::Tensor packed_hidden(const packed_model &model, const at::Tensor &ids, const at::Tensor &positions,
                         const ops::rotary &angles, attention &how) {
  thread_local rooms own;
  const at::Tensor dense_ids = ids.contiguous(), dense_positions = positions.contiguous();
  const std::int64_t rows = ids.size(0), hidden = model.spec.hidden_size;
  at::Tensor result = at::empty({rows, hidden}, model.weights.embedding.options().requires_grad(false));
  const pass run(model, rows, angles, how);
  float *x = own.x.rows(rows, hidden);
  run.embed(dense_ids.data_ptr<std::int64_t>(), dense_positions.data_ptr<std::int64_t>(), x);
  for (std::int64_t i = 0; i < model.spec.layers; ++i) run.layer(i, own, x);
  run.norm(model.weights.norm, x, result.data_ptr<float>());
  return result;
}

}  // namespace slipstream::network

#include "models/network/batch.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/network/operations.hpp"

namespace slipstream {
namespace {

class causal : public attention {
 public:
  causal(std::vector<std::int64_t> lengths, numerics mode) : lengths_(std::move(lengths)), mode_(mode) {}
  at::Tensor attend(std::int64_t, std::int64_t window, const at::Tensor &q, const at::Tensor &k,
                    const at::Tensor &v) override {
    return ops::causal_attention({q, k, v}, lengths_, window, mode_);
  }
  std::shared_ptr<attention> copy() const override { return std::make_shared<causal>(*this); }

 private:
  std::vector<std::int64_t> lengths_;
  numerics mode_;
};

// The batch without its padding: the N tokens that count, one sequence after another.
struct rows {
  std::vector<std::int64_t> lengths;
  at::Tensor cells;      // [N] the cell of each row in the flattened [B,T] grid
  at::Tensor positions;  // [N] position in its sequence
};

at::Tensor indices(const std::vector<std::int64_t> &values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

rows rows_of(const token_batch &batch, const model_spec &spec) {
  const at::Tensor lengths = batch.lengths.to(at::kCPU).contiguous();
  const std::int64_t width = batch.ids.size(1), *length = lengths.data_ptr<std::int64_t>();
  std::vector<std::int64_t> cells, positions;
  for (std::int64_t b = 0; b < batch.ids.size(0); ++b) {
    if (length[b] < 1 || length[b] > width)
      throw std::invalid_argument("length " + std::to_string(length[b]) +
                                  " of a sequence is not within 1 to " + std::to_string(width));
    if (length[b] > spec.max_positions)
      throw input_error("a sequence of " + std::to_string(length[b]) +
                        " tokens exceeds the model's context of " + std::to_string(spec.max_positions) +
                        "; shorten it");
    for (std::int64_t t = 0; t < length[b]; ++t) {
      cells.push_back(b * width + t);
      positions.push_back(t);
    }
  }
  const at::Device device = batch.ids.device();
  return {{length, length + batch.ids.size(0)}, indices(cells, device), indices(positions, device)};
}

// Every row but each sequence's last, which foretells the token after it.
at::Tensor foretellers(const rows &packed, at::Device device) {
  std::vector<std::int64_t> readers;
  std::int64_t row = 0;
  for (const std::int64_t length : packed.lengths)
    for (std::int64_t t = 0; t < length; ++t, ++row)
      if (t + 1 < length) readers.push_back(row);
  return indices(readers, device);
}

// Of the rows that foretell, one after another.
kept_rows kept_of(const token_batch &batch, const std::vector<std::int64_t> &lengths) {
  kept_rows result;
  if (batch.kept.empty()) return result;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const kept_tokens &own = batch.kept[b];
    const auto before = lengths[b] - 1 - std::ssize(own.counts);
    if (before < 0) throw std::invalid_argument("a sequence was drawn from more sets than it has tokens");
    for (std::int64_t t = 0; t < before; ++t) result.add_whole();
    result.add(own);
  }
  return result;
}

at::Tensor packed_hidden(const transformer &model, const token_batch &batch, const rows &packed) {
  causal how(packed.lengths, model.mode());
  return model.hidden(batch.ids.reshape({-1}).index_select(0, packed.cells), packed.positions, how);
}

at::Tensor spread(const at::Tensor &values, const at::Tensor &cells, at::IntArrayRef shape) {
  std::vector<std::int64_t> flat{shape[0] * shape[1]};
  flat.insert(flat.end(), shape.begin() + 2, shape.end());
  return at::zeros(flat, values.options()).index_copy(0, cells, values).view(shape);
}

}  // namespace

token_batch pad_tokens(const std::vector<std::vector<std::int64_t>> &sequences, std::int64_t pad,
                       std::int64_t width) {
  for (const auto &sequence : sequences) {
    if (sequence.empty()) throw std::invalid_argument("a sequence needs at least one token");
    width = std::max(width, static_cast<std::int64_t>(sequence.size()));
  }
  const auto count = static_cast<std::int64_t>(sequences.size());
  token_batch batch{at::full({count, width}, pad, at::kLong), at::empty({count}, at::kLong)};
  for (std::int64_t b = 0; b < count; ++b) {
    const auto &sequence = sequences[static_cast<std::size_t>(b)];
    std::copy(sequence.begin(), sequence.end(), batch.ids.data_ptr<std::int64_t>() + b * width);
    batch.lengths.data_ptr<std::int64_t>()[b] = static_cast<std::int64_t>(sequence.size());
  }
  return batch;
}

at::Tensor batch_hidden(const transformer &model, const token_batch &batch) {
  const rows packed = rows_of(batch, model.spec());
  const at::Tensor hidden = packed_hidden(model, batch, packed);
  return spread(hidden, packed.cells, {batch.ids.size(0), batch.ids.size(1), hidden.size(1)});
}

at::Tensor batch_values(const transformer &model, const token_batch &batch) {
  const rows packed = rows_of(batch, model.spec());
  const at::Tensor from = foretellers(packed, batch.ids.device());
  const at::Tensor cells = packed.cells.index_select(0, from) + 1;
  return spread(model.scores(packed_hidden(model, batch, packed).index_select(0, from)), cells,
                batch.ids.sizes());
}

token_scores batch_logprobs(const transformer &model, const token_batch &batch, double temperature,
                            entropies wanted) {
  if (!(temperature > 0))
    throw std::invalid_argument("a temperature above 0 is needed for log-probabilities");
  const rows packed = rows_of(batch, model.spec());
  const at::Tensor from = foretellers(packed, batch.ids.device());
  const at::Tensor cells = packed.cells.index_select(0, from) + 1;
  const at::Tensor ids = batch.ids.reshape({-1}).index_select(0, cells);
  const at::Tensor hidden = packed_hidden(model, batch, packed).index_select(0, from);
  const at::IntArrayRef shape = batch.ids.sizes();
  token_scores result;
  const kept_rows kept = kept_of(batch, packed.lengths);
  if (wanted != entropies::differentiable) {
    const bool entropy = wanted == entropies::without_gradient;
    const ops::chosen_scores found = model.logprobs(hidden, ids, 1.0 / temperature, kept, entropy);
    result.logprobs = spread(found.logprobs, cells, shape);
    if (entropy) result.entropy = spread(found.entropy, cells, shape);
  } else {
    const at::Tensor logits = model.logits(hidden);
    result.logprobs =
        spread(ops::token_logprobs(logits, ids, 1.0 / temperature, kept, model.mode()), cells, shape);
    const at::Tensor all = at::log_softmax(logits / temperature, -1);
    result.entropy = spread((all.exp() * all).sum(-1).neg(), cells, shape);
  }
  return result;
}

at::Tensor batch_scores(const transformer &model, const token_batch &batch) {
  const rows packed = rows_of(batch, model.spec());
  const at::Tensor ends = at::cumsum(batch.lengths.to(batch.ids.device()), 0) - 1;
  return model.scores(packed_hidden(model, batch, packed).index_select(0, ends));
}

}  // namespace slipstream

#include "models/objectives/aggregate.hpp"

#include <ATen/ATen.h>

#include "models/error.hpp"

namespace slipstream {
namespace {

double positive(double value, const char *what) {
  if (value > 0) return value;
  throw input_error(std::string("a loss cannot be divided by ") + what +
                    " = 0: give the count over the whole batch, which must hold something to train on");
}

}  // namespace

denominators &denominators::operator+=(const denominators &other) {
  tokens += other.tokens;
  sequences += other.sequences;
  return *this;
}

denominators count_tokens(const at::Tensor &mask) {
  const auto lengths = mask.ne(0).sum(1);  // one transfer for both counts
  const auto counts = at::stack({lengths.sum(), lengths.gt(0).sum()}).cpu();
  const auto *values = counts.data_ptr<std::int64_t>();
  return {static_cast<double>(values[0]), static_cast<double>(values[1])};
}

at::Tensor aggregate(const at::Tensor &per_token, const at::Tensor &mask, aggregation how,
                     const denominators &denominator, double horizon) {
  const auto counted = mask.to(per_token.scalar_type());
  const auto total = (per_token * counted).sum(1);  // [B]
  if (how == aggregation::token_mean) return total.sum() / positive(denominator.tokens, "tokens");
  const double sequences = positive(denominator.sequences, "sequences");
  switch (how) {
    case aggregation::seq_mean_token_mean:
      return (total / counted.sum(1).clamp_min(1)).sum() / sequences;
    case aggregation::seq_mean_token_sum_norm:
      return total.sum() / (positive(horizon, "horizon") * sequences);
    default:
      return total.sum() / sequences;
  }
}

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <string_view>

namespace slipstream {

// What losses, corrections and the optimizer may be told: plain values, which need no tensor.

/// How per-token losses become one number.
///   token_mean               sum over all tokens / tokens
///   seq_mean_token_mean      mean over sequences of each sequence's token mean (GRPO)
///   seq_mean_token_sum       mean over sequences of each sequence's token sum
///   seq_mean_token_sum_norm  mean over sequences of (token sum / horizon) (Dr.GRPO)
enum class aggregation { token_mean, seq_mean_token_mean, seq_mean_token_sum, seq_mean_token_sum_norm };
aggregation parse_aggregation(std::string_view name);
std::string_view to_string(aggregation how);

/// Estimators of KL(policy || reference) from one sample a token (Schulman, "Approximating KL divergence",
/// 2020). With d = logp - reference: k1 = d, k2 = d²/2, k3 = exp(-d) - 1 + d; k3_through has k3's value and
/// k2's gradient (the gradient of k2 is, unlike k3's, the unbiased gradient of the divergence).
enum class kl_estimator { k1, k2, k3, k3_through };
kl_estimator parse_kl_estimator(std::string_view name);
std::string_view to_string(kl_estimator how);

/// What happens to importance weights outside [low, high]: nothing, clamped to the bound (truncated
/// importance sampling), or set to 0 (masked: IcePop, MIS).
enum class weight_cap { none, truncate, mask };
weight_cap parse_weight_cap(std::string_view name);
std::string_view to_string(weight_cap how);

/// Over what a weight is taken: each token, or the product or geometric mean over each sequence's tokens.
enum class weight_level { token, sequence_product, sequence_geometric };
weight_level parse_weight_level(std::string_view name);
std::string_view to_string(weight_level level);

/// How far a ratio may leave 1 before its gradient stops: [1 - low, 1 + high].
struct clip_bounds {
  double low = 0.2;
  double high = 0.2;
};

/// Importance weights of the decoupled objective and the cap on them.
struct importance_weight_options {
  weight_cap cap = weight_cap::none;
  weight_level level = weight_level::token;
  double low = 0;
  double high = 2;
};

/// Bounds of V-trace's weights (see vtrace()).
struct vtrace_bounds {
  double rho = 1;
  double c = 1;
  double pg_rho = 1;
};

struct adamw_options {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;
};

enum class schedule_shape { constant, cosine, linear };
schedule_shape parse_schedule_shape(std::string_view name);
std::string_view to_string(schedule_shape shape);

/// Learning rate over the updates: with s counted from 0, rate (s+1)/warmup while s < warmup, then decay over
/// (s - warmup)/(total - warmup) to final_ratio · rate, kept from `total` on.
struct learning_rate_schedule {
  schedule_shape shape = schedule_shape::constant;
  double rate = 1e-3;
  std::int64_t warmup = 0;
  std::int64_t total = 0;  ///< unused by constant
  double final_ratio = 0;
};

}  // namespace slipstream

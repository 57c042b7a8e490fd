#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/error.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// The oldest weights that had a part in a token: those that made it, or those of a key or value it saw.
std::int64_t oldest_of(const sample &entry, std::size_t token);

/// Age in versions of the data of a batch trained at `version`: against it, for each token, the older of the
/// version that made it and the oldest one in the cache that it saw.
struct staleness_figures {
  double mean = 0;
  std::int64_t largest = 0;
  bool any = false;  ///< whether any token has a version (demonstrations have none)
};
staleness_figures measure_staleness(const std::vector<sample_group_ptr> &batch, std::int64_t version);

/// The promise was broken by a token of this prompt.
class staleness_error : public run_error {
 public:
  staleness_error(const std::string &text, std::uint64_t id) : run_error(text), prompt(id) {}
  std::uint64_t prompt;
};

/// Throws staleness_error when a token, or the cache that it was computed over, is older than `bound`
/// versions, or newer than `version`.
void assert_staleness(const std::vector<sample_group_ptr> &batch, std::int64_t version, std::int64_t bound);

/// Throws run_error when a token was not made by version max(0, `version` - `lag`).
void assert_lag(const std::vector<sample_group_ptr> &batch, std::int64_t version, std::int64_t lag);

/// The largest age of `model`'s figures in a batch against its `version`. Throws staleness_error when it is
/// above `bound`, or (`in_step`) when figures are of a version that `version` comes before; a model with a
/// pace of its own may have moved on before word of it came.
std::int64_t assert_model_age(const std::vector<sample_group_ptr> &batch, const std::string &model,
                              std::int64_t version, std::optional<std::int64_t> bound, bool in_step);

/// What the data alone say: reward_mean, reward_std, length_mean, zero_groups (share of groups whose
/// advantages are all zero), explained_variance (of the returns by the critic's values), and with `ages`
/// staleness_mean, staleness_max. Keys without data are absent.
nlohmann::json batch_figures(const std::vector<sample_group_ptr> &batch, std::int64_t version,
                             bool ages = true);

/// Whether any token of the sample has an advantage other than zero, or there are no advantages at all.
bool has_advantage(const sample &entry);

}  // namespace slipstream

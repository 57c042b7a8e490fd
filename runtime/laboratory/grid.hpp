#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// One key that a sweep varies, with its values as TOML text.
struct varied_key {
  std::string key;  ///< "schedule.max_staleness"
  std::vector<std::string> values;
};

/// Reads "table.key=a,b,c"; commas in quotes and brackets do not part values. Throws input_error naming the
/// mend: no values, an empty one, one given twice, or a key that the sweep itself sets.
varied_key parse_varied_key(std::string_view text);

/// One choice of values, which all its seeds share.
struct sweep_arm {
  std::vector<std::string> overrides;  ///< "table.key=value", in the order of the varied keys
  std::string label;                   ///< "max_staleness=1, lr=…": keys as short as they stay distinct
  std::string name;                    ///< the same as part of a run's name
};

/// Every combination of the values; the last key varies fastest. One arm without overrides when nothing
/// varies. Throws input_error for a key given twice.
std::vector<sweep_arm> make_arms(const std::vector<varied_key> &keys);

/// One run of an arm.
struct sweep_run {
  std::size_t arm = 0;
  std::uint64_t seed = 1;
  std::string name;  ///< of the run and its folder
};

/// The runs in the order in which they begin: seed by seed, so that a load on the machine falls on all arms.
std::vector<sweep_run> make_runs(const std::vector<sweep_arm> &arms, std::uint64_t first_seed,
                                 std::int64_t seeds);

}  // namespace slipstream

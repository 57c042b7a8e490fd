#pragma once

#include <caf/fwd.hpp>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "actors/services.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

struct join_setup {
  std::set<std::string> scorers;  ///< whose scores a group waits for
  bool reference = false;         ///< and whether for reference log-probabilities
  bool values = false;            ///< and for a critic's values
  std::function<std::vector<double>(const joined_group &)> rewards;  ///< one an answer
  std::function<sample_group(const joined_group &)> finish;
  std::string name{};                ///< in the topology
  std::int64_t watched_groups = 0;   ///< in a row, after which rewards that are all alike are told; 0: never
  std::int64_t watched_updates = 0;  ///< as many
  std::function<void(const std::string &)> say{};  ///< tells it; may be empty
  std::int64_t dropped_most = 0;  ///< groups dropped in a row after which the run ends; 0: it goes on
  sample_sink sink;
  run_services services;  ///< the journal hears of answers that are left out
};

/// Waits until all figures of a group have arrived, in any order, and makes samples of the group: with
/// advantages (advantage.*) or pairs. It ends with an error when it has dropped too many groups in a row,
/// because a run whose answers all get the same reward would draw for ever.
join_actor spawn_join(caf::actor_system &system, join_setup setup);

}  // namespace slipstream

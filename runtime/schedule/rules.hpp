#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace slipstream {

/// What happens to groups that finish late in an order that lets finished groups overtake older ones. `wait`:
/// a younger group is taken only if every older group can still meet its deadline. `drop`: a group that is
/// too old is dropped when it would be taken. `accept`: every group is taken, and nothing is promised.
enum class late_rule { wait, drop, accept };

/// `at_most`: the lead is an upper bound. `exactly`: every batch is generated wholly by the version that is
/// exactly `lead` versions older.
enum class lag_rule { at_most, exactly };

/// What running generations do when new weights arrive: they keep the old weights, they continue with the new
/// weights and the old cache, or they continue with the new weights and a rebuilt cache.
enum class new_weights { finish, carry_on, recompute };

/// A whole number of the schedule: a constant, a ramp over the versions, or a value that feedback from a
/// metric moves.
struct schedule_number {
  enum class kind { constant, ramp, feedback };
  kind how = kind::constant;
  std::int64_t first = 0;  ///< its value as the run begins
  std::int64_t last = 0;   ///< of a ramp, reached at version `end`
  std::int64_t begin = 0, end = 0;
  std::string signal;  ///< of feedback: a figure of metrics.jsonl, "ess", "kl", "kl_behaviour" …
  double target = 0;
  double tolerance = 0;    ///< no change while the signal is within target (1 ± tolerance)
  std::int64_t every = 1;  ///< versions between changes; the signal is their mean
  std::int64_t least = 0, most = 0;

  static schedule_number constant(std::int64_t value) {
    schedule_number number;
    number.first = number.last = number.least = number.most = value;
    return number;
  }
};

/// What a guard does when an update's figures are out of bounds, before the optimizer steps: it skips the
/// step, it rolls back to the newest checkpoint, or it allows the step and lowers the sampler's lead by one
/// version.
enum class guard_action { skip, roll_back, shrink };
struct guard_spec {
  std::string signal;  ///< "weight_max", "ess", "kl", "kl_behaviour" … of metrics.jsonl
  std::optional<double> above, below;
  guard_action act = guard_action::skip;
};

/// The keys of [schedule]: they decide when prompts are sampled and in which order groups are trained on.
struct schedule_rules {
  std::int64_t batch = 0;          ///< rollouts (or examples) an update trains on
  std::int64_t max_staleness = 0;  ///< versions
  std::string order =
      "strict";  ///< the name of a row of order_rows(), or of an order that the embedding program adds
  schedule_number window = schedule_number::constant(1);  ///< groups, of order "windowed"
  late_rule when_late = late_rule::wait;                  ///< of order "completion"
  std::optional<std::int64_t> late_after;                 ///< versions; default: max_staleness
  std::optional<schedule_number> lead;                    ///< versions; default: what the promise allows
  lag_rule lag = lag_rule::at_most;
  new_weights on_new_weights = new_weights::carry_on;
  schedule_number publish_every = schedule_number::constant(1);  ///< versions
  std::int64_t batch_least =
      0;  ///< rollouts that are enough for a batch once the learner has waited; 0: batches are always whole
  double batch_after = 0;          ///< seconds
  std::int64_t max_running = 0;    ///< rollouts being generated at once; 0: what the samplers hold
  std::int64_t max_in_flight = 0;  ///< rollouts drawn and not yet trained on; 0: what the lead allows
  std::vector<guard_spec> guards;
  bool allow_unbounded_staleness = false;  ///< a schedule may promise nothing
};

}  // namespace slipstream

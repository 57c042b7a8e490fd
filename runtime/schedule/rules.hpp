#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace slipstream {

/// What happens to groups that finish late, where finished ones need not wait for older ones: a younger group
/// takes a place only if every older one can still meet its deadline; what is too old is dropped when its
/// turn comes; or everything is taken (no promise).
enum class late_rule { wait, drop, accept };

/// Whether the lead is an upper bound, or every batch is made wholly by the version that many before it.
enum class lag_rule { at_most, exactly };

/// What running generations do when new weights arrive: keep the old ones, go on with the new and the old
/// cache, or go on with the new and a cache rebuilt with them.
enum class new_weights { finish, carry_on, recompute };

/// A whole number of the schedule: a constant, a ramp over the versions, or the hands of a controller.
struct dial_spec {
  enum class kind { constant, ramp, controller };
  kind how = kind::constant;
  std::int64_t first = 0;  ///< its value as the run begins
  std::int64_t last = 0;   ///< of a ramp, reached at version `end`
  std::int64_t begin = 0, end = 0;
  std::string signal;  ///< of a controller: a figure of metrics.jsonl, "ess", "kl", "kl_behaviour" …
  double target = 0;
  double tolerance = 0;    ///< no turn while the signal is within target (1 ± tolerance)
  std::int64_t every = 1;  ///< versions between turns; the signal is their mean
  std::int64_t least = 0, most = 0;

  static dial_spec constant(std::int64_t value) {
    dial_spec dial;
    dial.first = dial.last = dial.least = dial.most = value;
    return dial;
  }
};

/// What to do about an update whose figures are out of bounds, before its step is taken: leave the step out,
/// go back to the newest checkpoint, or take it and let the sampler lead by one version less from then on.
enum class brake_action { skip, roll_back, shrink };
struct brake_spec {
  std::string signal;  ///< "weight_max", "ess", "kl", "kl_behaviour" … of metrics.jsonl
  std::optional<double> above, below;
  brake_action act = brake_action::skip;
};

/// The keys of [schedule] that decide when what is sampled and in which order it is trained on.
struct schedule_rules {
  std::int64_t batch = 0;                     ///< rollouts (or examples) an update trains on
  std::int64_t max_staleness = 0;             ///< versions
  std::string order = "strict";               ///< a row of order_rows(), or one of the embedding program's
  dial_spec window = dial_spec::constant(1);  ///< groups, of order "windowed"
  late_rule when_late = late_rule::wait;      ///< of order "completion"
  std::optional<std::int64_t> late_after;     ///< versions; default: max_staleness
  std::optional<dial_spec> lead;              ///< versions; default: what the promise allows
  lag_rule lag = lag_rule::at_most;
  new_weights on_new_weights = new_weights::carry_on;
  dial_spec publish_every = dial_spec::constant(1);  ///< versions
  std::int64_t batch_least = 0;  ///< rollouts that will do once the learner has waited; 0: only whole batches
  double batch_after = 0;        ///< seconds
  std::int64_t max_running = 0;  ///< rollouts being generated at once; 0: what the samplers hold
  std::int64_t max_in_flight = 0;  ///< rollouts drawn and not yet trained on; 0: what the lead allows
  std::vector<brake_spec> brakes;
  bool allow_unbounded_staleness = false;  ///< a schedule may promise nothing
};

}  // namespace slipstream

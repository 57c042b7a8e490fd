#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/schedule/rules.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// A change of one of the schedule's numbers, in force from `version` on.
struct dial_turn {
  std::string dial;  ///< "lead", "window", "publish_every"
  std::int64_t version = 0;
  std::int64_t value = 0;
  std::string cause;
};

/// Turns the dials of a schedule as versions are made: ramps by the version, controllers by the figures of
/// the updates, brakes that shrink the lead. Pure: the same figures turn them alike.
class conductor {
 public:
  /// Figures of an update by name, as in metrics.jsonl.
  using figures = std::map<std::string, double, std::less<>>;

  conductor(std::map<std::string, dial_spec> dials, std::vector<brake_spec> brakes);

  std::int64_t value(const std::string &dial) const { return values_.at(dial); }
  /// The dials that are no constants, or that a brake may turn, with their values.
  std::map<std::string, std::int64_t> changing() const;
  /// What `version`, just made, changes.
  std::vector<dial_turn> observe(std::int64_t version, const figures &update);
  /// Sets a dial by hand, from the next version on. Throws input_error for a dial that is not there and for a
  /// value that the topology does not let it have.
  void ask_for(const std::string &dial, std::int64_t value);
  /// Goes on from an earlier part of the run: the values in force, and the figures of updates that a
  /// controller has not acted on yet.
  void restore(const std::map<std::string, std::int64_t> &values);
  void remember(std::int64_t version, const figures &update);
  void write_state(state_text &text) const;

 private:
  struct reading {
    double sum = 0;
    std::int64_t count = 0;
  };
  void turn(std::vector<dial_turn> &turns, const std::string &dial, std::int64_t version, std::int64_t value,
            const std::string &cause);
  void steer(std::vector<dial_turn> &turns, const std::string &dial, std::int64_t version);

  std::map<std::string, dial_spec> dials_;
  std::vector<brake_spec> brakes_;
  std::map<std::string, std::int64_t> values_;
  std::map<std::string, std::int64_t> asked_;  // by hand, not yet in force
  std::map<std::string, reading> readings_;    // of controllers, since their last turn
};

/// A ramp's value at a version.
std::int64_t ramp_value(const dial_spec &ramp, std::int64_t version);
/// The brake's figure is out of bounds; false where the update has no such figure.
bool out_of_bounds(const brake_spec &brake, const conductor::figures &update);
/// "ess 0.12 below 0.3".
std::string reason_of(const brake_spec &brake, const conductor::figures &update);

}  // namespace slipstream

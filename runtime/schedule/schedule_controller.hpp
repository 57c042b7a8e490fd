#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/schedule/rules.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// A change of one of the schedule's numbers, in force from `version` on.
struct schedule_change {
  std::string number;  ///< "lead", "window", "publish_every"
  std::int64_t version = 0;
  std::int64_t value = 0;
  std::string cause;
};

/// Changes the numbers of a schedule as versions are made: ramps follow the version, feedback follows the
/// figures of the updates, and guards may lower the lead. It is pure: the same figures lead to the same
/// changes.
class schedule_controller {
 public:
  /// Figures of an update by name, as in metrics.jsonl.
  using figures = std::map<std::string, double, std::less<>>;

  schedule_controller(std::map<std::string, schedule_number> numbers, std::vector<guard_spec> guards);

  std::int64_t value(const std::string &number) const { return values_.at(number); }
  /// The numbers that are not constant, or that a guard may change, with their values.
  std::map<std::string, std::int64_t> changing() const;
  /// The changes that `version`, which has just been made, brings.
  std::vector<schedule_change> observe(std::int64_t version, const figures &update);
  /// Sets a number by hand, from the next version on. Throws input_error for a number that is not there and
  /// for a value that the topology does not let it have.
  void ask_for(const std::string &number, std::int64_t value);
  /// Goes on from an earlier part of the run: the values in force, and the figures of updates that a
  /// feedback has not acted on yet.
  void restore(const std::map<std::string, std::int64_t> &values);
  void remember(std::int64_t version, const figures &update);
  void write_state(state_text &text) const;

 private:
  struct reading {
    double sum = 0;
    std::int64_t count = 0;
  };
  void change(std::vector<schedule_change> &changes, const std::string &number, std::int64_t version,
              std::int64_t value, const std::string &cause);
  void steer(std::vector<schedule_change> &changes, const std::string &number, std::int64_t version);

  std::map<std::string, schedule_number> numbers_;
  std::vector<guard_spec> guards_;
  std::map<std::string, std::int64_t> values_;
  std::map<std::string, std::int64_t> asked_;  // by hand, not yet in force
  std::map<std::string, reading> readings_;    // of feedback, since its last change
};

/// A ramp's value at a version.
std::int64_t ramp_value(const schedule_number &ramp, std::int64_t version);
/// The guard's figure is out of bounds; false where the update has no such figure.
bool out_of_bounds(const guard_spec &guard, const schedule_controller::figures &update);
/// "ess 0.12 below 0.3".
std::string reason_of(const guard_spec &guard, const schedule_controller::figures &update);

}  // namespace slipstream

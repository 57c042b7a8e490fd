#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "runtime/journal/events.hpp"
#include "runtime/schedule/shared_batches.hpp"
#include "runtime/schedule/state_text.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// Decisions of a buffer: what its actor does next.
namespace buffer_decisions {
/// Answer the learner's pull; a null batch ends its training.
struct deliver {
  std::string learner;
  batch_ptr batch;
};
/// Write into the journal.
struct record_event {
  journal_event event;
};
/// Tell the ledger that the path keeps the group.
struct keep {
  std::uint64_t id = 0;
};
/// Tell the ledger that the path will not give the group to its learners.
struct drop {
  std::uint64_t id = 0;
  std::string reason;
};
/// Ask the ledger to count that many rollouts as taken; answer with forfeit_booked().
struct ask_forfeit {
  std::int64_t rollouts = 0;
};
/// Tell the ledger by how much the forfeit that it has booked was too small.
struct correct_forfeit {
  std::int64_t rollouts = 0;
};
/// Call waited(version) once the learners have waited for that batch as long as [schedule] batch_after says.
struct start_timer {
  std::int64_t version = 0;
};
}  // namespace buffer_decisions

using buffer_decision =
    std::variant<buffer_decisions::deliver, buffer_decisions::record_event, buffer_decisions::keep,
                 buffer_decisions::drop, buffer_decisions::ask_forfeit, buffer_decisions::correct_forfeit,
                 buffer_decisions::start_timer>;

/// One path's buffer.
struct buffer_rules {
  shared_batches groups;  ///< empty, or what an earlier part of the run left
  std::string path{};     ///< whose samples come: the name of the actor that gives them
  std::set<std::uint64_t>
      heard_before{};      ///< groups that arrive a second time, because another path needs them
  std::int64_t group = 1;  ///< rollouts of a group
  std::int64_t least = 0;  ///< groups that are enough for a batch; 0: batches are always whole
};

/// The buffer's rules as a state machine: an event goes in, decisions come out and are carried out in their
/// order. It keeps the finished groups of one path and composes batches of them in the order of consumption.
/// It is a value that knows no actor and no clock.
class buffer_machine {
 public:
  using decisions = std::vector<buffer_decision>;

  explicit buffer_machine(buffer_rules rules) : rules_(std::move(rules)) {}

  /// These groups were drawn: each will arrive or be dropped.
  void drawn(const std::vector<draw_notice> &draws);
  /// A group has its scores and advantages; without samples it is dropped.
  decisions put(const sample_group_ptr &group);
  /// The learner holds `version` and asks for the batch that makes the next version. Throws run_error when
  /// its earlier request has not been answered.
  decisions pull(const std::string &learner, std::int64_t version);
  /// The learner needs no further batch.
  decisions stop(const std::string &learner);
  decisions set_window(std::int64_t groups);
  /// The learners have waited for that version's batch as long as `batch_after` says; it may be short now.
  decisions waited(std::int64_t version);
  /// The ledger has booked the forfeited places. It had announced every draw before that.
  decisions forfeit_booked();

  const shared_batches &groups() const { return rules_.groups; }
  /// Whether a timer runs, and the batch that it runs for is still the next one.
  bool timer_runs() const { return timed_ == rules_.groups.next() && !waited_; }
  void write_state(state_text &text) const;

 private:
  void serve(decisions &out);
  void deliver_composed(decisions &out);
  void go_short(decisions &out);
  void give_up(decisions &out, std::uint64_t id, const std::string &reason);

  buffer_rules rules_;
  std::map<std::string, std::int64_t> pulls_;  ///< version held, by learner that waits
  std::int64_t timed_ = -1;                    ///< the version whose batch a timer was started for
  bool waited_ = false;                        ///< long enough for the next batch to be short
  std::int64_t forfeiting_ = 0;                ///< groups that the ledger is asked to count as taken
};

}  // namespace slipstream

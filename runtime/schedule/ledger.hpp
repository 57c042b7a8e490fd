#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "runtime/schedule/admission.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// The state of a drawn prompt's rollouts. In all states but the last two they are in flight.
enum class rollout_state : std::uint8_t { waiting, running, partial, finished, buffered, trained, dropped };
std::string_view to_string(rollout_state state);

/// Counts in rollouts; drawn = trained + the sum of dropped + in_flight() at every moment.
struct ledger_totals {
  std::int64_t drawn = 0;
  std::int64_t waiting = 0, running = 0, partial = 0, finished = 0, buffered = 0;
  std::int64_t trained = 0;
  std::int64_t reissued = 0;
  std::map<std::string, std::int64_t> dropped;  ///< by reason

  std::int64_t in_flight() const { return waiting + running + partial + finished + buffered; }
  std::int64_t dropped_total() const;
};

/// Bounds in addition to the admission rule, in rollouts; 0: none.
struct ledger_caps {
  std::int64_t running = 0;
  std::int64_t in_flight = 0;
};

/// The books of one loader: every prompt drawn is in exactly one state, and a prompt is drawn only when the
/// admission rule allows it. A group (all samples of one prompt) moves as a whole. Pure: no clock, no actors.
class ledger {
 public:
  /// `group` rollouts a prompt; `limit` accepted rollouts end the run (no more are admitted than it needs).
  ledger(admission rule, std::int64_t group, std::int64_t limit, ledger_caps caps = {});

  /// How many prompts may be drawn now, when the newest weights that a sampler holds are `version`.
  std::int64_t room(std::int64_t version) const;
  /// Whether one more prompt may be given to a sampler.
  bool may_start() const;
  /// How many versions the sampler may run ahead from now on.
  void set_lead(std::int64_t lead) { rule_ = admission(rule_.batch(), lead); }
  std::int64_t lead() const { return rule_.lead(); }
  /// Counts places as taken that a batch left empty, or the places of a batch that was not trained on,
  /// because the version number rises all the same.
  void forfeit(std::int64_t rollouts) { forfeited_ += rollouts; }
  std::int64_t forfeited() const { return forfeited_; }
  std::int64_t group() const { return group_; }
  /// Books a prompt just drawn as waiting; returns the oldest version that may make its tokens.
  std::int64_t draw(std::uint64_t id);

  void start(std::uint64_t id);      ///< waiting, partial → running; once interrupted, that is a reissue
  void interrupt(std::uint64_t id);  ///< running → partial: its tokens are kept
  void finish(std::uint64_t id);     ///< running → finished
  void buffer(std::uint64_t id);     ///< finished → buffered
  void train(std::uint64_t id);      ///< buffered → trained
  void drop(std::uint64_t id, const std::string &reason);  ///< any state in flight → dropped
  /// Drops a group of a batch that changed nothing. The group's place still counts as taken.
  void give_up(std::uint64_t id, const std::string &reason);
  void reissue(std::uint64_t id);  ///< running → waiting: its sampler is gone
  /// The main learner will not train on it, though another one may: it leaves the admission rule's count.
  void excuse(std::uint64_t id);

  /// Books a prompt that an earlier part of the run drew, in the state it was left in.
  void restore(std::uint64_t id, rollout_state state, const std::string &reason = "");
  void restore_reissued(std::int64_t rollouts) { totals_.reissued = rollouts; }

  const std::unordered_map<std::uint64_t, rollout_state> &in_flight() const { return in_flight_; }
  /// Throws run_error when the sums do not close (a defect, never a user's mistake).
  const ledger_totals &totals() const;
  void write_state(state_text &text) const;

 private:
  std::int64_t counted() const { return totals_.drawn - totals_.dropped_total() + forfeited_ - excused_; }
  void move(std::uint64_t id, rollout_state to);
  std::int64_t &count(rollout_state state);

  admission rule_;
  std::int64_t group_;
  std::int64_t limit_;
  ledger_caps caps_;
  std::int64_t forfeited_ = 0;
  std::int64_t excused_ = 0;  ///< rollouts, dropped ones not among them
  std::unordered_set<std::uint64_t> excused_in_flight_;
  std::unordered_set<std::uint64_t> interrupted_;
  std::unordered_map<std::uint64_t, rollout_state> in_flight_;
  ledger_totals totals_;
};

}  // namespace slipstream

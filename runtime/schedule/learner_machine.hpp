#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "runtime/journal/events.hpp"
#include "runtime/schedule/schedule_controller.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// Decisions of a learner: what its actor does next.
namespace learner_decisions {
/// Ask the buffer for the batch of this version; answer with batch_came().
struct pull {
  std::int64_t version = 0;
};
/// Give up the pull under way; the buffer answers it without a batch.
struct cancel_pull {};
/// Ask the loader of demonstrations for these lines; answer with demonstrations_came().
struct ask_demonstrations {
  std::vector<std::uint64_t> ids;
};
/// Train on the batch. `scoring_models`: the newest known versions of models that are trained at a pace of
/// their own.
struct train {
  std::map<std::string, std::int64_t> scoring_models;
  std::optional<std::int64_t> target;  ///< the version of the target model that the batch is scored by
};
/// Write into the journal.
struct note_event {
  journal_event event;
};
/// Write a fingerprint of the version's weights into the journal.
struct note_version {
  std::int64_t version = 0;
};
/// Flush everything noted so far to the disk; answer with flushed(why).
enum class flush_reason : std::uint8_t { batch, decision, last_checkpoint, checkpoint };
struct flush {
  flush_reason why = flush_reason::batch;
};
/// Publish the newest weights to all actors that compute with them.
struct publish {
  std::int64_t version = 0;
  bool last = false;
};
struct set_lead {
  std::int64_t versions = 0;
};
struct set_window {
  std::int64_t groups = 0;
};
/// Tell the ledger that these groups stay untrained.
struct leave_untrained {
  std::vector<std::uint64_t> ids;
  std::string reason;
};
/// Tell the ledger that these groups made `version`.
struct report_trained {
  std::vector<std::uint64_t> ids;
  std::int64_t version = 0;
};
/// Write the update's figures, with the schedule's numbers that may change.
struct report_update {
  std::map<std::string, std::int64_t> schedule;
};
struct write_checkpoint {};
/// The training has ended: report it to the ledger and the supervisor.
struct finish {};
}  // namespace learner_decisions

using learner_decision = std::variant<
    learner_decisions::pull, learner_decisions::cancel_pull, learner_decisions::ask_demonstrations,
    learner_decisions::train, learner_decisions::note_event, learner_decisions::note_version,
    learner_decisions::flush, learner_decisions::publish, learner_decisions::set_lead,
    learner_decisions::set_window, learner_decisions::leave_untrained, learner_decisions::report_trained,
    learner_decisions::report_update, learner_decisions::write_checkpoint, learner_decisions::finish>;

/// One learner's part of the schedule.
struct learner_rules {
  std::string name{};
  std::int64_t version = 0;          ///< the version that it holds when the run begins or is resumed
  std::int64_t updates = 0;          ///< 0: until it is told to stop
  std::int64_t consumed_before = 0;  ///< versions below this had their batch before the run was resumed
  schedule_controller controller{{{"publish_every", schedule_number::constant(1)}}, {}};
  std::int64_t checkpoint_every = 0;    ///< versions; 0: only at the end
  bool keeps_journal = false;           ///< a version is published only after its batch is on the disk
  bool keeps_checkpoints = false;       ///< the journal is flushed before the last checkpoint
  std::int64_t demonstrations = 0;      ///< an update
  std::optional<std::string> target{};  ///< a scoring model whose version of the same number each batch needs
};

/// The result of an update.
struct update_outcome {
  std::vector<std::uint64_t> ids{};        ///< of the batch
  std::string tripped{};                   ///< why no step was taken; empty: one was
  schedule_controller::figures figures{};  ///< as in metrics.jsonl
};

/// The learner's rules as a state machine: an event goes in, decisions come out and are carried out in their
/// order. It decides when a batch is pulled, when a version is published and what must be on the disk before
/// that, how the schedule's numbers change, and when training ends. It is a value that knows no actor, no
/// tensor and no clock.
class learner_machine {
 public:
  using decisions = std::vector<learner_decision>;

  explicit learner_machine(learner_rules rules);

  decisions begin();
  /// A batch arrived. `any` is false when there are no more batches.
  decisions batch_came(bool any);
  /// The loader of demonstrations can be asked from now on.
  decisions loader_ready();
  decisions demonstrations_came();
  /// Another trained model, which scores this learner's samples, has a new version.
  decisions scoring_model_came(const std::string &model, std::int64_t version);
  /// The batch under way has been trained on.
  decisions trained(update_outcome outcome);
  decisions flushed(learner_decisions::flush_reason why);
  /// Sets one of the schedule's numbers by hand ("lead", "window", "publish_every"), in force from the next
  /// version on. Throws input_error for a number that the topology does not let change so far.
  void steer(const std::string &number, std::int64_t value) { rules_.controller.ask_for(number, value); }
  /// Ends the training, after the batch under way.
  decisions stop();

  std::int64_t version() const { return version_; }
  bool finished() const { return finished_; }
  bool pulling() const { return pulling_; }
  bool training() const { return training_; }
  const schedule_controller &controller() const { return rules_.controller; }
  void write_state(state_text &text) const;

 private:
  bool is_enough() const { return rules_.updates > 0 && version_ >= rules_.updates; }
  void pull(decisions &out);
  void end(decisions &out);
  void begin_batch(decisions &out);
  void ask_for_demonstrations(decisions &out) const;
  void publish(decisions &out);
  void before_checkpoint(decisions &out, learner_decisions::flush_reason why);

  learner_rules rules_;
  std::int64_t version_ = 0;
  std::int64_t published_ = 0;      ///< the newest version that went out
  std::int64_t publish_every_ = 1;  ///< versions
  bool stopping_ = false;
  bool finished_ = false;
  bool pulling_ = false;
  bool training_ = false;
  bool on_disk_ = true;                    ///< all that the batch under way is made of
  bool batch_waits_ = false;               ///< a batch is there, and something that belongs to it is not
  bool loader_ready_ = false;              ///< of demonstrations
  bool demonstrated_ = false;              ///< the next batch's demonstrations are there
  std::optional<update_outcome> outcome_;  ///< that waits for the journal
  std::vector<schedule_change> changes_;   ///< that the version just made calls for
  std::map<std::string, std::int64_t> scoring_models_;  ///< newest version of each
  std::set<std::int64_t> targets_;  ///< versions of the target from the one on that is due
};

}  // namespace slipstream

#include "runtime/schedule/learner_machine.hpp"

#include <utility>

namespace slipstream {

using namespace learner_decisions;

learner_machine::learner_machine(learner_rules rules)
    : rules_(std::move(rules)),
      version_(rules_.version),
      published_(rules_.version),
      publish_every_(rules_.controller.value("publish_every")) {}

learner_machine::decisions learner_machine::begin() {
  decisions out;
  if (is_enough())
    end(out);  // a resumed run that was trained to its end
  else
    pull(out);
  return out;
}

void learner_machine::pull(decisions &out) {
  pulling_ = true;
  out.emplace_back(learner_decisions::pull{version_});
}

/// The last checkpoint, then word to all; nothing more is pulled.
void learner_machine::end(decisions &out) {
  finished_ = true;
  if (rules_.updates == 0)  // only now is it known which version is the last
    out.emplace_back(learner_decisions::publish{version_, true});
  out.emplace_back(write_checkpoint{});
  out.emplace_back(finish{});
}

learner_machine::decisions learner_machine::batch_came(bool any) {
  decisions out;
  pulling_ = false;
  if (any)
    begin_batch(out);
  else
    before_checkpoint(out, flush_reason::last_checkpoint);
  return out;
}

/// A version's demonstrations are draws that its number alone decides, so a run that goes on has the same.
void learner_machine::ask_for_demonstrations(decisions &out) const {
  ask_demonstrations asked;
  const auto first = version_ * rules_.demonstrations;
  for (std::int64_t i = 0; i < rules_.demonstrations; ++i)
    asked.ids.push_back(static_cast<std::uint64_t>(first + i));
  out.emplace_back(std::move(asked));
}

/// Trains on the batch once all is there that belongs to it. The target's learner has made the version that
/// is due before it could be given this batch, so the wait for it ends.
void learner_machine::begin_batch(decisions &out) {
  const bool no_target = rules_.target && !targets_.contains(version_);
  const bool no_demonstrations = rules_.demonstrations > 0 && !demonstrated_;
  batch_waits_ = no_target || no_demonstrations;
  if (batch_waits_) {
    if (no_demonstrations && loader_ready_) ask_for_demonstrations(out);
    return;
  }
  train now;
  if (rules_.target) {
    now.target = version_;
    targets_.erase(targets_.begin(), targets_.upper_bound(version_));
  }
  // what was consumed before the run was interrupted was checked then; the scoring models have moved on since
  if (version_ >= rules_.consumed_before) now.scoring_models = scoring_models_;
  demonstrated_ = false;
  training_ = true;
  out.emplace_back(std::move(now));
  on_disk_ = !rules_.keeps_journal;
  if (!on_disk_) out.emplace_back(flush{flush_reason::batch});  // while it is trained on
}

learner_machine::decisions learner_machine::loader_ready() {
  decisions out;
  loader_ready_ = true;
  if (batch_waits_) ask_for_demonstrations(out);
  return out;
}

learner_machine::decisions learner_machine::demonstrations_came() {
  decisions out;
  demonstrated_ = true;
  if (batch_waits_) begin_batch(out);
  return out;
}

learner_machine::decisions learner_machine::scoring_model_came(const std::string &model,
                                                               std::int64_t version) {
  decisions out;
  scoring_models_[model] = version;
  if (rules_.target != model) return out;
  targets_.insert(version);
  if (batch_waits_) begin_batch(out);
  return out;
}

/// What the batch was made of, and what the update decided, is on the disk before anybody sees what it made.
learner_machine::decisions learner_machine::trained(update_outcome outcome) {
  decisions out;
  training_ = false;
  ++version_;
  if (!outcome.tripped.empty())
    out.emplace_back(note_event{batch_skipped{version_, outcome.tripped, rules_.name}});
  changes_ = rules_.controller.observe(version_, outcome.figures);
  for (const auto &change : changes_)
    out.emplace_back(note_event{schedule_changed{change.number, change.version, change.value, change.cause}});
  const bool decided = !outcome.tripped.empty() || !changes_.empty();
  outcome_ = std::move(outcome);
  if (decided && rules_.keeps_journal)
    out.emplace_back(flush{flush_reason::decision});
  else if (on_disk_)
    publish(out);
  return out;
}

learner_machine::decisions learner_machine::flushed(flush_reason why) {
  decisions out;
  switch (why) {
    case flush_reason::batch:
      on_disk_ = true;
      // an update that decided something waits for a second flush, which was asked for after this one
      if (outcome_ && outcome_->tripped.empty() && changes_.empty()) publish(out);
      break;
    case flush_reason::decision:
      publish(out);
      break;
    case flush_reason::last_checkpoint:
      end(out);
      break;
    case flush_reason::checkpoint:
      if (stopping_) {
        end(out);
      } else {
        out.emplace_back(write_checkpoint{});
        pull(out);
      }
      break;
  }
  return out;
}

/// The new version goes out, then its figures and the books.
void learner_machine::publish(decisions &out) {
  auto done = *std::exchange(outcome_, std::nullopt);
  if (version_ - published_ >= publish_every_ || version_ <= rules_.consumed_before ||
      version_ == rules_.updates) {
    published_ = version_;
    out.emplace_back(learner_decisions::publish{version_, version_ == rules_.updates});
  }
  publish_every_ = rules_.controller.value("publish_every");
  for (const auto &change : std::exchange(changes_, {})) {
    if (change.number == "lead") out.emplace_back(learner_decisions::set_lead{change.value});
    if (change.number == "window") out.emplace_back(learner_decisions::set_window{change.value});
  }
  out.emplace_back(note_version{version_});
  if (!done.tripped.empty())
    out.emplace_back(leave_untrained{std::exchange(done.ids, {}), "guard: " + done.tripped});
  out.emplace_back(report_trained{std::move(done.ids), version_});
  out.emplace_back(report_update{rules_.controller.changing()});
  if (is_enough() || stopping_)
    before_checkpoint(out, flush_reason::last_checkpoint);
  else if (rules_.checkpoint_every == 0 || version_ % rules_.checkpoint_every != 0)
    pull(out);
  else
    before_checkpoint(out, flush_reason::checkpoint);
}

/// Who goes on from a checkpoint makes no fingerprint of its version, so that must be on the disk before.
void learner_machine::before_checkpoint(decisions &out, flush_reason why) {
  if (rules_.keeps_checkpoints && rules_.keeps_journal) {
    out.emplace_back(flush{why});
    return;
  }
  for (auto &next : flushed(why)) out.push_back(std::move(next));
}

learner_machine::decisions learner_machine::stop() {
  decisions out;
  stopping_ = true;
  if (pulling_) out.emplace_back(cancel_pull{});
  return out;
}

void learner_machine::write_state(state_text &text) const {
  text << version_ << published_ << publish_every_ << stopping_ << finished_ << pulling_ << training_
       << on_disk_ << batch_waits_ << loader_ready_ << demonstrated_ << outcome_.has_value();
  for (const auto &[model, version] : scoring_models_) text << model << version;
  text.end().all(targets_);
  rules_.controller.write_state(text);
}

}  // namespace slipstream

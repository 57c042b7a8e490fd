#include <algorithm>
#include <utility>

#include "models/error.hpp"
#include "runtime/journal/overloaded.hpp"
#include "runtime/simulation/schedule_model.hpp"

// What the messages say to the state machines, and what their decisions do.
namespace slipstream {

using kind = schedule_model::message::kind;

// The ledger's side.

ledger_machine::decisions schedule_model::ledger_reads(const message &text) {
  switch (text.what) {
    case kind::lines: {
      std::vector<drawn> lines;
      for (std::int64_t i = 0; i < text.number; ++i) {
        auto line = std::make_shared<example>();
        line->id = next_++;
        lines.push_back({std::move(line), {}, nullptr});
      }
      return ledger_.prompts(lines);
    }
    case kind::credit:
      return ledger_.credit(text.which, text.number, text.other);
    case kind::lost: {
      lost_work held;
      for (const auto id : text.ids) held.prompts.emplace(id, begun_samples());
      return ledger_.lost(text.which, held);
    }
    case kind::sampled:
      return ledger_.finished(text.id);
    case kind::kept:
      return ledger_.kept(paths_[text.which], text.id);
    case kind::dropped:
      return ledger_.dropped(paths_[text.which], text.id, "dropped");
    case kind::trained:
      return ledger_.trained(setup_.learners[text.which].learner, text.ids, text.number);
    case kind::left:
      return ledger_.left_untrained(setup_.learners[text.which].learner, text.ids, "guard");
    case kind::retired:
      return ledger_.retired(setup_.learners[text.which].learner);
    case kind::lead:
      return ledger_.set_lead(text.number);
    case kind::forfeit: {
      auto decisions = ledger_.forfeit(text.number);
      tell_buffer(text.which, {kind::booked});
      return decisions;
    }
    case kind::correct:
      return ledger_.forfeit(text.number);
    default:
      throw run_error("model: the ledger has no use for this message");
  }
}

void schedule_model::carry_out(ledger_machine::decisions decisions) {
  namespace to = ledger_decisions;
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::hand_out &given) {
                     samplers_[given.sampler].given.emplace(given.prompt->source->id,
                                                            given.prompt->min_version);
                   },
                   [&](to::ask_loader &asked) { asked_ = asked.lines; },
                   [&](to::announce_draws &told) {
                     for (const auto &each : told.draws) drawn_at_[each.id] = version();
                     for (std::size_t path = 0; path < paths_.size(); ++path) {
                       message text{kind::drawn};
                       text.draws = told.draws;
                       tell_buffer(path, std::move(text));
                     }
                   },
                   [](auto &) {},  // what is for the disk and for watchers
               },
               decision);
}

bool schedule_model::loader_asked() const {
  return asked_ > 0 && (setup_.most_drawn == 0 || static_cast<std::int64_t>(next_) < setup_.most_drawn);
}

void schedule_model::loader_answers() {
  auto lines = std::exchange(asked_, 0);
  if (setup_.most_drawn > 0) lines = std::min(lines, setup_.most_drawn - static_cast<std::int64_t>(next_));
  tell_ledger({kind::lines, lines});
}

// The buffers' side.

buffer_machine::decisions schedule_model::buffer_reads(std::size_t path, const message &text) {
  auto &machine = buffers_[path];
  switch (text.what) {
    case kind::drawn:
      machine.drawn(text.draws);
      return {};
    case kind::arrived:
      return machine.put(text.group);
    case kind::window:
      return machine.set_window(text.number);
    case kind::waited:
      return machine.waited(text.number);
    case kind::pull:
      return machine.pull(setup_.learners[text.which].learner, text.number);
    case kind::stop:
      return machine.stop(setup_.learners[text.which].learner);
    case kind::booked:
      return machine.forfeit_booked();
    default:
      throw run_error("model: the buffer has no use for this message");
  }
}

void schedule_model::carry_out(std::size_t path, buffer_machine::decisions decisions) {
  namespace to = buffer_decisions;
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::deliver &given) { deliver(given.learner, given.batch); },
                   [&](to::keep &kept) {
                     tell_ledger({kind::kept, 0, 0, path, kept.id});
                   },
                   [&](to::drop &dropped) {
                     tell_ledger({kind::dropped, 0, 0, path, dropped.id});
                   },
                   [&](to::ask_forfeit &asked) {
                     tell_ledger({kind::forfeit, asked.rollouts, 0, path});
                   },
                   [&](to::correct_forfeit &by) {
                     tell_ledger({kind::correct, by.rollouts, 0, path});
                   },
                   [&](to::start_timer &timer) { timers_[path] = timer.version; },
                   [](to::record_event &) {},
               },
               decision);
  const auto timer = timers_.find(path);  // one that runs for a batch that has gone stops nobody
  if (timer != timers_.end() && timer->second != buffers_[path].groups().next()) timers_.erase(timer);
}

void schedule_model::wait_long_enough(std::size_t path) {
  tell_buffer(path, {kind::waited, timers_.extract(path).mapped()});
}

// The learners' side.

void schedule_model::deliver(const std::string &name, const batch_ptr &batch) {
  std::size_t which = 0;
  while (setup_.learners[which].learner != name) ++which;
  if (batch) {
    if (which == 0) measure(*batch);
    for (const auto &group : *batch) batches_[which].push_back(group->id);
  }
  carry_out_learner(which, learners_[which].batch_came(batch != nullptr));
}

void schedule_model::measure(const std::vector<sample_group_ptr> &batch) {
  const auto now = version();
  if (static_cast<std::int64_t>(batch.size()) < buffers_.front().groups().groups_per_batch())
    ++short_batches_;
  for (const auto &group : batch) {
    const auto made_by = oldest_version(*group, now);
    oldest_ = std::max(oldest_, now - made_by);
    oldest_steps_ = std::max(oldest_steps_, steps_[static_cast<std::size_t>(now)] -
                                                steps_[static_cast<std::size_t>(made_by)] + setup_.steps - 1);
    longest_wait_ = std::max(longest_wait_, now - drawn_at_.at(group->id));
  }
}

std::vector<std::size_t> schedule_model::training() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < learners_.size(); ++i)
    if (learners_[i].training()) found.push_back(i);
  return found;
}

bool schedule_model::done() const {
  return std::all_of(learners_.begin(), learners_.end(), [](const auto &each) { return each.finished(); });
}

void schedule_model::train(std::size_t which, const outcome &result) {
  if (which == 0) steps_.push_back(steps_.back() + (result.tripped ? 0 : setup_.steps));
  update_outcome outcome{std::exchange(batches_[which], {}), result.tripped ? "guard" : "", result.figures};
  carry_out_learner(which, learners_[which].trained(std::move(outcome)));
}

void schedule_model::steer(const std::string &number, std::int64_t value) {
  learners_.front().steer(number, value);
}

/// The run ends with its main learner; those with a pace of their own are told.
void schedule_model::stop_others() {
  for (std::size_t i = 1; i < learners_.size(); ++i)
    if (path_of(i) != 0) carry_out_learner(i, learners_[i].stop());
}

void schedule_model::carry_out_learner(std::size_t which, learner_machine::decisions decisions) {
  namespace to = learner_decisions;
  const auto path = path_of(which);
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::pull &wanted) {
                     tell_buffer(path, {kind::pull, wanted.version, 0, which});
                   },
                   [&](to::cancel_pull &) {
                     tell_buffer(path, {kind::stop, 0, 0, which});
                   },
                   [&](to::flush &wanted) { carry_out_learner(which, learners_[which].flushed(wanted.why)); },
                   [&](to::publish &out) {
                     if (which != 0) return;  // nobody samples from the others' models
                     published_ = out.version;
                     for (auto &each : samplers_) each.coming.push_back(out.version);
                   },
                   [&](to::set_lead &lead) {
                     tell_ledger({kind::lead, lead.versions});
                   },
                   [&](to::set_window &window) {
                     tell_buffer(path, {kind::window, window.groups});
                   },
                   [&](to::leave_untrained &left) {
                     tell_ledger({kind::left, 0, 0, which, 0, std::move(left.ids)});
                   },
                   [&](to::report_trained &done) {
                     tell_ledger({kind::trained, done.version, 0, which, 0, std::move(done.ids)});
                   },
                   [&](to::note_event &noted) {
                     if (std::holds_alternative<schedule_changed>(noted.event)) ++changes_;
                   },
                   [&](to::finish &) {
                     tell_ledger({kind::retired, 0, 0, which});
                     if (which == 0) stop_others();
                   },
                   [](auto &) {},
               },
               decision);
}

}  // namespace slipstream

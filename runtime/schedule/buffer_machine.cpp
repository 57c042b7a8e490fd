#include "runtime/schedule/buffer_machine.hpp"

#include <utility>

#include "models/error.hpp"

namespace slipstream {

using namespace buffer_decisions;

/// Gives each learner that waits its batch, if that is composed.
void buffer_machine::deliver_composed(decisions &out) {
  for (auto next = pulls_.begin(); next != pulls_.end();) {
    const auto &[learner, version] = *next;
    const auto served = rules_.groups.take(learner, version);
    if (!served) {
      ++next;
      continue;
    }
    if (!served->again) {
      batch_consumed consumed{version + 1, {}, learner};
      for (const auto &group : *served->groups) consumed.ids.push_back(group->id);
      out.emplace_back(record_event{std::move(consumed)});
    }
    out.emplace_back(deliver{learner, served->groups});
    next = pulls_.erase(next);
  }
}

/// A batch of fewer groups: first the ledger books the places that it leaves empty, and has told of every
/// draw before; then it is looked at again whether the batch may go.
void buffer_machine::go_short(decisions &out) {
  if (!waited_ || forfeiting_ != 0) return;
  const auto groups = rules_.groups.short_batch(rules_.least);
  if (groups == 0) return;
  forfeiting_ = rules_.groups.groups_per_batch() - groups;
  out.emplace_back(ask_forfeit{forfeiting_ * rules_.group});
}

buffer_machine::decisions buffer_machine::forfeit_booked() {
  decisions out;
  const auto booked = std::exchange(forfeiting_, 0);
  const auto groups = rules_.groups.short_batch(rules_.least);
  const auto missing = groups == 0 ? 0 : rules_.groups.groups_per_batch() - groups;
  if (missing != booked) out.emplace_back(correct_forfeit{(missing - booked) * rules_.group});
  if (groups > 0) {
    rules_.groups.compose_short();
    waited_ = false;
  }
  serve(out);
  return out;
}

void buffer_machine::give_up(decisions &out, std::uint64_t id, const std::string &reason) {
  out.emplace_back(record_event{path_dropped{id, rules_.path, reason}});
  out.emplace_back(drop{id, reason});
}

void buffer_machine::serve(decisions &out) {
  deliver_composed(out);
  if (pulls_.empty() || forfeiting_ != 0) return;
  const auto before = rules_.groups.next();
  for (const auto id : rules_.groups.compose()) give_up(out, id, "late");
  if (rules_.groups.next() == before) return go_short(out);
  waited_ = false;
  deliver_composed(out);
}

void buffer_machine::drawn(const std::vector<draw_notice> &draws) {
  for (const auto &each : draws) rules_.groups.draw(each.id, each.min_version);
}

buffer_machine::decisions buffer_machine::put(const sample_group_ptr &group) {
  decisions out;
  if (rules_.heard_before.erase(group->id) > 0) return out;
  if (group->samples.empty()) {
    rules_.groups.drop(group->id);
    give_up(out, group->id, group->drop_reason);
  } else {
    out.emplace_back(record_event{group_kept{group, rules_.path}});
    rules_.groups.put(group);
    out.emplace_back(keep{group->id});
  }
  serve(out);
  return out;
}

buffer_machine::decisions buffer_machine::pull(const std::string &learner, std::int64_t version) {
  decisions out;
  if (!pulls_.emplace(learner, version).second)
    throw run_error("buffer: learner \"" + learner + "\" pulled twice");
  serve(out);
  // learners that wait at all wait for the same batch, the next one: its timer runs from the first pull
  const auto next = rules_.groups.next();
  if (rules_.least > 0 && !pulls_.empty() && timed_ != next) {
    timed_ = next;
    out.emplace_back(start_timer{next});
  }
  return out;
}

buffer_machine::decisions buffer_machine::stop(const std::string &learner) {
  decisions out;
  if (pulls_.erase(learner) > 0) out.emplace_back(deliver{learner, batch_ptr()});
  return out;
}

buffer_machine::decisions buffer_machine::set_window(std::int64_t groups) {
  decisions out;
  rules_.groups.set_window(groups);
  serve(out);
  return out;
}

buffer_machine::decisions buffer_machine::waited(std::int64_t version) {
  decisions out;
  if (version != rules_.groups.next()) return out;
  waited_ = true;
  serve(out);
  return out;
}

void buffer_machine::write_state(state_text &text) const {
  for (const auto &[learner, version] : pulls_) text << learner << version;
  text.end() << timer_runs() << waited_ << forfeiting_;
  rules_.groups.write_state(text);
}

}  // namespace slipstream

#include "runtime/schedule/ledger.hpp"

#include <algorithm>
#include <numeric>

#include "models/error.hpp"

namespace slipstream {
namespace {

bool allowed(rollout_state from, rollout_state to) {
  using s = rollout_state;
  switch (to) {
    case s::waiting:
      return from == s::running;
    case s::running:
      return from == s::waiting || from == s::partial;
    case s::partial:
      return from == s::running;
    case s::finished:
      return from == s::running;
    case s::buffered:
      return from == s::finished;
    case s::trained:
      return from == s::buffered;
    case s::dropped:
      return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(rollout_state state) {
  static constexpr std::string_view names[] = {"waiting",  "running", "partial", "finished",
                                               "buffered", "trained", "dropped"};
  return names[static_cast<std::size_t>(state)];
}

std::int64_t ledger_totals::dropped_total() const {
  return std::accumulate(dropped.begin(), dropped.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto &entry) { return sum + entry.second; });
}

ledger::ledger(admission rule, std::int64_t group, std::int64_t limit, ledger_caps caps)
    : rule_(rule), group_(group), limit_(limit), caps_(caps) {}

std::int64_t ledger::room(std::int64_t version) const {
  std::int64_t count = counted(), in_flight = totals_.in_flight();
  std::int64_t prompts = 0;
  while (count < limit_ && rule_.min_version(count) <= version &&
         (caps_.in_flight == 0 || in_flight + group_ <= caps_.in_flight)) {
    count += group_;
    in_flight += group_;
    ++prompts;
  }
  return prompts;
}

bool ledger::may_start() const {
  return caps_.running == 0 || totals_.running + group_ <= caps_.running;
}

std::int64_t ledger::draw(std::uint64_t id) {
  const auto min_version = rule_.min_version(counted());
  if (!in_flight_.emplace(id, rollout_state::waiting).second)
    throw run_error("ledger: prompt " + std::to_string(id) + " was drawn twice");
  totals_.drawn += group_;
  totals_.waiting += group_;
  return std::max<std::int64_t>(min_version, 0);
}

void ledger::restore(std::uint64_t id, rollout_state state, const std::string &reason) {
  totals_.drawn += group_;
  if (state == rollout_state::dropped) {
    totals_.dropped[reason] += group_;
    return;
  }
  if (state != rollout_state::trained) in_flight_.emplace(id, state);
  count(state) += group_;
}

void ledger::start(std::uint64_t id) {
  move(id, rollout_state::running);
  if (interrupted_.erase(id) > 0) totals_.reissued += group_;
}
void ledger::interrupt(std::uint64_t id) {
  move(id, rollout_state::partial);
  interrupted_.insert(id);
}
void ledger::finish(std::uint64_t id) {
  move(id, rollout_state::finished);
}
void ledger::buffer(std::uint64_t id) {
  move(id, rollout_state::buffered);
}
void ledger::train(std::uint64_t id) {
  move(id, rollout_state::trained);
  excused_in_flight_.erase(id);
}

void ledger::drop(std::uint64_t id, const std::string &reason) {
  move(id, rollout_state::dropped);
  totals_.dropped[reason] += group_;
  if (excused_in_flight_.erase(id) > 0) excused_ -= group_;
}

void ledger::excuse(std::uint64_t id) {
  if (in_flight_.contains(id) && !excused_in_flight_.insert(id).second) return;
  excused_ += group_;
}

void ledger::give_up(std::uint64_t id, const std::string &reason) {
  drop(id, reason);
  forfeit(group_);
}

void ledger::reissue(std::uint64_t id) {
  move(id, rollout_state::waiting);
  totals_.reissued += group_;
}

void ledger::move(std::uint64_t id, rollout_state to) {
  const auto entry = in_flight_.find(id);
  if (entry == in_flight_.end())
    throw run_error("ledger: prompt " + std::to_string(id) + " is not in flight and cannot become " +
                    std::string(to_string(to)));
  if (!allowed(entry->second, to))
    throw run_error("ledger: prompt " + std::to_string(id) + " cannot go from " +
                    std::string(to_string(entry->second)) + " to " + std::string(to_string(to)));
  count(entry->second) -= group_;
  if (to == rollout_state::trained || to == rollout_state::dropped)
    in_flight_.erase(entry);
  else
    entry->second = to;
  if (to != rollout_state::dropped) count(to) += group_;
}

std::int64_t &ledger::count(rollout_state state) {
  switch (state) {
    case rollout_state::waiting:
      return totals_.waiting;
    case rollout_state::running:
      return totals_.running;
    case rollout_state::partial:
      return totals_.partial;
    case rollout_state::finished:
      return totals_.finished;
    case rollout_state::buffered:
      return totals_.buffered;
    default:
      return totals_.trained;
  }
}

const ledger_totals &ledger::totals() const {
  if (totals_.drawn != totals_.trained + totals_.dropped_total() + totals_.in_flight() ||
      totals_.in_flight() != static_cast<std::int64_t>(in_flight_.size()) * group_)
    throw run_error("ledger: the sums do not close");
  return totals_;
}

void ledger::write_state(state_text &text) const {
  text << rule_.lead() << forfeited_ << excused_ << totals_.trained << totals_.dropped_total();
  const std::map<std::uint64_t, rollout_state> states(in_flight_.begin(), in_flight_.end());
  for (const auto &[id, state] : states)
    text << static_cast<std::int64_t>(id) << static_cast<std::int64_t>(state)
         << excused_in_flight_.contains(id) << interrupted_.contains(id);
  text.end();
}

}  // namespace slipstream

#include "runtime/topology/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/topology/resolved.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t many = 1 << 20;
const std::vector<std::string> signals{"ess",           "kl",        "kl_behaviour",
                                       "weight_max",    "ratio_max", "weight_mean",
                                       "clip_fraction", "entropy",   "reward_mean"};

schedule_number read_ramp(settings &s, std::int64_t least, std::int64_t most) {
  schedule_number number;
  number.how = schedule_number::kind::ramp;
  number.first = s.required_integer("from", least, most);
  number.last = s.required_integer("to", least, most);
  number.begin = s.integer("begin", 0, 0, 1'000'000'000);
  number.end = s.required_integer("end", 1, 1'000'000'000);
  if (number.end <= number.begin)
    s.fail("end", "end must come after begin: the versions between which it changes");
  number.least = std::min(number.first, number.last);
  number.most = std::max(number.first, number.last);
  return number;
}

schedule_number read_feedback(settings &s, std::int64_t least, std::int64_t most) {
  schedule_number number;
  number.how = schedule_number::kind::feedback;
  number.signal = s.required_choice("signal", {"ess", "kl", "kl_behaviour"});
  number.target = s.required_number("target", 0);
  number.tolerance = s.number("tolerance", 0.05, 0, 1);
  number.every = s.integer("every", 5, 1, many);
  number.least = s.required_integer("least", least, most);
  number.most = s.required_integer("most", least, most);
  if (number.most < number.least) s.fail("most", "most is less than least");
  number.first = s.integer("from", number.least, number.least, number.most);
  number.last = number.first;
  return number;
}

/// A number, or { from, to, begin, end }, or { signal, target, least, most, every, from, tolerance }.
schedule_number read_schedule_number(settings &s, const std::string &key, std::int64_t otherwise,
                                     std::int64_t least) {
  const auto *value = s.find(key);
  if (value == nullptr || value->as_table() == nullptr)
    return schedule_number::constant(s.integer(key, otherwise, least, many));
  settings table(*value);
  const auto number = table.has("signal") ? read_feedback(table, least, many) : read_ramp(table, least, many);
  table.finish();
  return number;
}

/// A window is a number of groups, or a share of a batch.
schedule_number read_window(settings &s, double &share) {
  const auto *value = s.find("window");
  const auto *real = value == nullptr ? nullptr : std::get_if<double>(&value->value);
  if (real == nullptr) return read_schedule_number(s, "window", 1, 1);
  share = s.number("window", 0, 0, 1);
  if (share <= 0)
    s.fail("window", "window as a share of the batch lies between 0 and 1, as in window = 0.25");
  return schedule_number::constant(1);  // in groups, once it is known how many a batch has
}

guard_spec read_guard(const node &entry) {
  settings s(entry);
  guard_spec guard;
  guard.signal = s.required_choice("signal", signals);
  if (s.has("above")) guard.above = s.required_number("above");
  if (s.has("below")) guard.below = s.required_number("below");
  if (!guard.above && !guard.below)
    s.fail("signal", "a guard needs a bound; add above = 10.0 or below = 0.3");
  const auto act = s.required_choice("act", {"skip", "roll_back", "shrink"});
  guard.act = act == "skip"     ? guard_action::skip
              : act == "shrink" ? guard_action::shrink
                                : guard_action::roll_back;
  s.finish();
  return guard;
}

std::vector<guard_spec> read_guards(settings &s) {
  std::vector<guard_spec> guards;
  const auto *value = s.find("guards");
  if (value == nullptr) return guards;
  if (value->as_array() == nullptr)
    s.fail("guards",
           "guards is a list of tables, as in guards = [{ signal = \"ess\", below = 0.3, act = \"skip\" }]");
  for (const auto &entry : *value->as_array()) guards.push_back(read_guard(entry));
  return guards;
}

void read_order(settings &s, schedule_config &schedule) {
  schedule.order = s.text("order", "strict");
  schedule.window = read_window(s, schedule.window_share);
  const auto late = s.choice("when_late", {"wait", "drop", "accept"});
  schedule.when_late = late == "wait"   ? late_rule::wait
                       : late == "drop" ? late_rule::drop
                                        : late_rule::accept;
  if (s.has("late_after")) schedule.late_after = s.required_integer("late_after", 0, many);
}

/// The row of an order of this library; null for one that a program adds.
const order_row *own_order(const std::string &name) {
  const auto rows = order_rows();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto &row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

/// The orders of this library that take a key, as in `order = "windowed"`.
std::string orders_that_take(const char *key) {
  std::vector<std::string> names;
  for (const auto &row : order_rows())
    if (contains(row.keys, key)) names.push_back(fmt::format("order = \"{}\"", row.name));
  return listed(names, "or");
}

std::string number_text(const schedule_number &number) {
  switch (number.how) {
    case schedule_number::kind::constant:
      return fmt::to_string(number.first);
    case schedule_number::kind::ramp:
      return fmt::format("{{ from = {}, to = {}, begin = {}, end = {} }}", number.first, number.last,
                         number.begin, number.end);
    case schedule_number::kind::feedback:
      return fmt::format(
          "{{ signal = \"{}\", target = {}, tolerance = {}, every = {}, least = {}, most = {}, from = {} }}",
          number.signal, write_number(number.target), write_number(number.tolerance), number.every,
          number.least, number.most, number.first);
  }
  return {};
}

std::string guard_text(const guard_spec &guard) {
  std::string text = fmt::format("{{ signal = \"{}\"", guard.signal);
  if (guard.above) text += ", above = " + write_number(*guard.above);
  if (guard.below) text += ", below = " + write_number(*guard.below);
  const char *act = guard.act == guard_action::skip     ? "skip"
                    : guard.act == guard_action::shrink ? "shrink"
                                                        : "roll_back";
  return text + fmt::format(", act = \"{}\" }}", act);
}

const char *text_of(new_weights rule) {
  switch (rule) {
    case new_weights::finish:
      return "finish";
    case new_weights::recompute:
      return "recompute";
    case new_weights::carry_on:
      break;
  }
  return "continue";
}

}  // namespace

schedule_config read_schedule(const node &document) {
  const node *found = document.find("schedule");
  if (found == nullptr)
    fail_at({document.at.file, 0, 0}, "[schedule] is missing; add [schedule] with batch = 64");
  settings s(*found);
  schedule_config schedule;
  schedule.table = *found;
  schedule.batch = s.required_integer("batch", 1, 1 << 24);
  schedule.at = s.at("batch");
  schedule.max_staleness = s.integer("max_staleness", 0, 0, many);
  read_order(s, schedule);
  if (s.has("lead")) schedule.lead = read_schedule_number(s, "lead", 0, 0);
  schedule.lag = s.choice("lag", {"at_most", "exactly"}) == "exactly" ? lag_rule::exactly : lag_rule::at_most;
  const auto rule = s.choice("on_new_weights", {"continue", "finish", "recompute"});
  for (const auto each : {new_weights::finish, new_weights::carry_on, new_weights::recompute})
    if (rule == text_of(each)) schedule.on_new_weights = each;
  schedule.publish_every = read_schedule_number(s, "publish_every", 1, 1);
  schedule.batch_least = s.integer("batch_least", 0, 0, 1 << 24);
  schedule.batch_after = s.number("batch_after", 0, 0, 86400);
  if ((schedule.batch_least > 0) != (schedule.batch_after > 0))
    s.fail(schedule.batch_least > 0 ? "batch_least" : "batch_after",
           "batch_least and batch_after go together: how many rollouts will do, and after how many seconds");
  schedule.max_running = s.integer("max_running", 0, 0, 1 << 24);
  schedule.max_in_flight = s.integer("max_in_flight", 0, 0, 1 << 24);
  schedule.guards = read_guards(s);
  schedule.allow_unbounded_staleness = s.flag("allow_unbounded_staleness", false);
  schedule.known = s.asked();
  if (const auto *order = own_order(schedule.order)) {
    take_order_keys(schedule, *order);
    s.finish();
  }  // the keys of an order that a program adds are known once it is
  return schedule;
}

void take_order_keys(schedule_config &schedule, const order_row &order) {
  for (const char *key : {"window", "when_late", "late_after"}) {
    if (contains(order.keys, key)) continue;
    std::erase(schedule.known, key);
    if (const auto *value = schedule.table.find(key))
      fail_at(value->at,
              fmt::format("[schedule] {0} belongs to {1}, and the order is \"{2}\"{3}; remove {0}", key,
                          orders_that_take(key), order.name,
                          contains({"when_late", "late_after"}, key) ? ", where nothing is late" : ""));
  }
}

source_position schedule_config::position(const std::string &key) const {
  const auto *value = table.find(key);
  return value != nullptr ? value->at : at;
}

std::string write_schedule(const schedule_config &schedule) {
  std::string text = fmt::format("[schedule]\nbatch = {}\nmax_staleness = {}\norder = {}\n", schedule.batch,
                                 schedule.max_staleness, write_text(schedule.order));
  if (schedule.window_share > 0)
    text += fmt::format("window = {}\n", write_number(schedule.window_share));
  else if (contains(schedule.known, "window"))
    text += fmt::format("window = {}\n", number_text(schedule.window));
  if (contains(schedule.known, "when_late")) {
    text += fmt::format("when_late = \"{}\"\n", schedule.when_late == late_rule::wait   ? "wait"
                                                : schedule.when_late == late_rule::drop ? "drop"
                                                                                        : "accept");
    if (schedule.late_after) text += fmt::format("late_after = {}\n", *schedule.late_after);
  }
  if (schedule.lead) text += fmt::format("lead = {}\n", number_text(*schedule.lead));
  text += fmt::format("lag = \"{}\"\non_new_weights = \"{}\"\npublish_every = {}\n",
                      schedule.lag == lag_rule::exactly ? "exactly" : "at_most",
                      text_of(schedule.on_new_weights), number_text(schedule.publish_every));
  if (schedule.batch_least > 0)
    text += fmt::format("batch_least = {}\nbatch_after = {}\n", schedule.batch_least,
                        write_number(schedule.batch_after));
  text += fmt::format("max_running = {}\nmax_in_flight = {}\n", schedule.max_running, schedule.max_in_flight);
  for (const auto &[key, number] : schedule.numbers) text += fmt::format("{} = {}\n", key, number);
  std::string guards;
  for (const auto &guard : schedule.guards) guards += (guards.empty() ? "" : ", ") + guard_text(guard);
  if (!guards.empty()) text += fmt::format("guards = [{}]\n", guards);
  return text + fmt::format("allow_unbounded_staleness = {}\n", schedule.allow_unbounded_staleness);
}

}  // namespace slipstream

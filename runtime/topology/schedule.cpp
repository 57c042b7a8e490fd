#include "runtime/topology/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/topology/suggest.hpp"
#include "runtime/topology/table_fields.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t many = 1 << 20;
const std::vector<std::string> signals{"ess",           "kl",        "kl_behaviour",
                                       "weight_max",    "ratio_max", "weight_mean",
                                       "clip_fraction", "entropy",   "reward_mean"};

const words<late_rule> late_words{
    {"wait", late_rule::wait}, {"drop", late_rule::drop}, {"accept", late_rule::accept}};
const words<lag_rule> lag_words{{"at_most", lag_rule::at_most}, {"exactly", lag_rule::exactly}};
const words<new_weights> weight_words{{"continue", new_weights::carry_on},
                                      {"finish", new_weights::finish},
                                      {"recompute", new_weights::recompute}};
const words<guard_action> act_words{
    {"skip", guard_action::skip}, {"roll_back", guard_action::roll_back}, {"shrink", guard_action::shrink}};

void ramp_keys(auto &f, auto &number, std::int64_t least, std::int64_t most) {
  f.required_integer("from", number.first, least, most);
  f.required_integer("to", number.last, least, most);
  f.integer("begin", number.begin, 0, 1'000'000'000);
  f.required_integer("end", number.end, 1, 1'000'000'000);
  f.require(number.end > number.begin, "end",
            "end must come after begin: the versions between which it changes");
}

void feedback_keys(auto &f, auto &number, std::int64_t least, std::int64_t most) {
  f.required_choice("signal", number.signal, {"ess", "kl", "kl_behaviour"});
  f.required_number("target", number.target, 0);
  f.otherwise(number.tolerance, 0.05);
  f.number("tolerance", number.tolerance, 0, 1);
  f.otherwise(number.every, std::int64_t{5});
  f.integer("every", number.every, 1, many);
  f.required_integer("least", number.least, least, most);
  f.required_integer("most", number.most, least, most);
  f.require(number.most >= number.least, "most", "most is less than least");
  f.otherwise(number.first, number.least);
  f.integer("from", number.first, number.least, number.most);
}

void guard_keys(auto &f, auto &guard) {
  f.required_choice("signal", guard.signal, signals);
  f.optional_number("above", guard.above);
  f.optional_number("below", guard.below);
  f.require(guard.above || guard.below, "signal", "a guard needs a bound; add above = 10.0 or below = 0.3");
  f.required_choice("act", guard.act, act_words);
}

schedule_number read_ramp(settings &s, std::int64_t least, std::int64_t most) {
  schedule_number number;
  number.how = schedule_number::kind::ramp;
  table_reader keys(s);
  ramp_keys(keys, number, least, most);
  number.least = std::min(number.first, number.last);
  number.most = std::max(number.first, number.last);
  return number;
}

schedule_number read_feedback(settings &s, std::int64_t least, std::int64_t most) {
  schedule_number number;
  number.how = schedule_number::kind::feedback;
  table_reader keys(s);
  feedback_keys(keys, number, least, most);
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
  table_reader keys(s);
  guard_keys(keys, guard);
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
  table_writer out;
  switch (number.how) {
    case schedule_number::kind::constant:
      return fmt::to_string(number.first);
    case schedule_number::kind::ramp:
      ramp_keys(out, number, 0, 0);
      break;
    case schedule_number::kind::feedback:
      feedback_keys(out, number, 0, 0);
      break;
  }
  return out.in_line();
}

struct schedule_reader : table_reader {
  using table_reader::table_reader;
  static bool takes(const schedule_config &, const char *) { return true; }
  void window(schedule_config &x) { x.window = read_window(table, x.window_share); }
  /// The least that it may be is also what it is where the key is absent.
  void controlled(const char *key, schedule_number &x) {
    x = read_schedule_number(table, key, x.first, x.first);
  }
  void optional_controlled(const char *key, std::optional<schedule_number> &x) {
    if (table.has(key)) x = read_schedule_number(table, key, 0, 0);
  }
  void optional_integer(const char *key, std::optional<std::int64_t> &x) {
    if (table.has(key)) x = table.required_integer(key, 0, many);
  }
  static void numbers_of_order(const schedule_config &) {}  // which the order reads
  void guards(std::vector<guard_spec> &x) { x = read_guards(table); }
};

struct schedule_writer : table_writer {
  static bool takes(const schedule_config &x, const char *key) { return contains(x.known, key); }
  void window(const schedule_config &x) {
    if (x.window_share > 0)
      number("window", x.window_share);
    else if (takes(x, "window"))
      controlled("window", x.window);
  }
  void controlled(const char *key, const schedule_number &x) { line(key, number_text(x)); }
  void optional_controlled(const char *key, const std::optional<schedule_number> &x) {
    if (x) controlled(key, *x);
  }
  void optional_integer(const char *key, const std::optional<std::int64_t> &x) {
    if (x) integer(key, *x);
  }
  void numbers_of_order(const schedule_config &x) {
    for (const auto &[key, value] : x.numbers) line(key, fmt::to_string(value));
  }
  void guards(const std::vector<guard_spec> &all) {
    std::string list;
    for (const auto &guard : all) {
      table_writer each;
      guard_keys(each, guard);
      list += (list.empty() ? "" : ", ") + each.in_line();
    }
    if (!list.empty()) line("guards", "[" + list + "]");
  }
};

void schedule_keys(auto &f, auto &x) {
  f.required_integer("batch", x.batch, 1, 1 << 24);
  f.integer("max_staleness", x.max_staleness, 0, many);
  f.text("order", x.order);
  f.window(x);
  if (f.takes(x, "when_late")) {
    f.choice("when_late", x.when_late, late_words);
    f.optional_integer("late_after", x.late_after);
  }
  f.optional_controlled("lead", x.lead);
  f.choice("lag", x.lag, lag_words);
  f.choice("on_new_weights", x.on_new_weights, weight_words);
  f.controlled("publish_every", x.publish_every);
  f.integer_if_any("batch_least", x.batch_least, 0, 1 << 24);
  f.number_if_any("batch_after", x.batch_after, 0, 86400);
  f.require((x.batch_least > 0) == (x.batch_after > 0), x.batch_least > 0 ? "batch_least" : "batch_after",
            "batch_least and batch_after go together: how many rollouts will do, and after how many seconds");
  f.integer("max_running", x.max_running, 0, 1 << 24);
  f.integer("max_in_flight", x.max_in_flight, 0, 1 << 24);
  f.numbers_of_order(x);
  f.guards(x.guards);
  f.flag("allow_unbounded_staleness", x.allow_unbounded_staleness);
}

}  // namespace

schedule_config read_schedule(const node &document) {
  const node *found = document.find("schedule");
  if (found == nullptr)
    fail_at({document.at.file, 0, 0}, "[schedule] is missing; add [schedule] with batch = 64");
  settings s(*found);
  schedule_config schedule;
  schedule.table = *found;
  schedule_reader keys(s);
  schedule_keys(keys, schedule);
  schedule.at = s.at("batch");
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
  schedule_writer out;
  out.table("schedule");
  schedule_keys(out, schedule);
  return out.out;
}

}  // namespace slipstream

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
const words<brake_action> act_words{
    {"skip", brake_action::skip}, {"roll_back", brake_action::roll_back}, {"shrink", brake_action::shrink}};

void ramp_keys(auto &f, auto &dial, std::int64_t least, std::int64_t most) {
  f.required_integer("from", dial.first, least, most);
  f.required_integer("to", dial.last, least, most);
  f.integer("begin", dial.begin, 0, 1'000'000'000);
  f.required_integer("end", dial.end, 1, 1'000'000'000);
  f.require(dial.end > dial.begin, "end", "end must come after begin: the versions between which it changes");
}

void controller_keys(auto &f, auto &dial, std::int64_t least, std::int64_t most) {
  f.required_choice("signal", dial.signal, {"ess", "kl", "kl_behaviour"});
  f.required_number("target", dial.target, 0);
  f.otherwise(dial.tolerance, 0.05);
  f.number("tolerance", dial.tolerance, 0, 1);
  f.otherwise(dial.every, std::int64_t{5});
  f.integer("every", dial.every, 1, many);
  f.required_integer("least", dial.least, least, most);
  f.required_integer("most", dial.most, least, most);
  f.require(dial.most >= dial.least, "most", "most is less than least");
  f.otherwise(dial.first, dial.least);
  f.integer("from", dial.first, dial.least, dial.most);
}

void brake_keys(auto &f, auto &brake) {
  f.required_choice("signal", brake.signal, signals);
  f.optional_number("above", brake.above);
  f.optional_number("below", brake.below);
  f.require(brake.above || brake.below, "signal", "a brake needs a bound; add above = 10.0 or below = 0.3");
  f.required_choice("act", brake.act, act_words);
}

dial_spec read_ramp(settings &s, std::int64_t least, std::int64_t most) {
  dial_spec dial;
  dial.how = dial_spec::kind::ramp;
  table_reader keys(s);
  ramp_keys(keys, dial, least, most);
  dial.least = std::min(dial.first, dial.last);
  dial.most = std::max(dial.first, dial.last);
  return dial;
}

dial_spec read_controller(settings &s, std::int64_t least, std::int64_t most) {
  dial_spec dial;
  dial.how = dial_spec::kind::controller;
  table_reader keys(s);
  controller_keys(keys, dial, least, most);
  dial.last = dial.first;
  return dial;
}

/// A number, or { from, to, begin, end }, or { signal, target, least, most, every, from, tolerance }.
dial_spec read_dial(settings &s, const std::string &key, std::int64_t otherwise, std::int64_t least) {
  const auto *value = s.find(key);
  if (value == nullptr || value->as_table() == nullptr)
    return dial_spec::constant(s.integer(key, otherwise, least, many));
  settings table(*value);
  const auto dial = table.has("signal") ? read_controller(table, least, many) : read_ramp(table, least, many);
  table.finish();
  return dial;
}

/// A window is a number of groups, or a share of a batch.
dial_spec read_window(settings &s, double &share) {
  const auto *value = s.find("window");
  const auto *real = value == nullptr ? nullptr : std::get_if<double>(&value->value);
  if (real == nullptr) return read_dial(s, "window", 1, 1);
  share = s.number("window", 0, 0, 1);
  if (share <= 0)
    s.fail("window", "window as a share of the batch lies between 0 and 1, as in window = 0.25");
  return dial_spec::constant(1);  // in groups, once it is known how many a batch has
}

brake_spec read_brake(const node &entry) {
  settings s(entry);
  brake_spec brake;
  table_reader keys(s);
  brake_keys(keys, brake);
  s.finish();
  return brake;
}

std::vector<brake_spec> read_brakes(settings &s) {
  std::vector<brake_spec> brakes;
  const auto *value = s.find("brakes");
  if (value == nullptr) return brakes;
  if (value->as_array() == nullptr)
    s.fail("brakes",
           "brakes is a list of tables, as in brakes = [{ signal = \"ess\", below = 0.3, act = \"skip\" }]");
  for (const auto &entry : *value->as_array()) brakes.push_back(read_brake(entry));
  return brakes;
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

std::string dial_text(const dial_spec &dial) {
  table_writer out;
  switch (dial.how) {
    case dial_spec::kind::constant:
      return fmt::to_string(dial.first);
    case dial_spec::kind::ramp:
      ramp_keys(out, dial, 0, 0);
      break;
    case dial_spec::kind::controller:
      controller_keys(out, dial, 0, 0);
      break;
  }
  return out.in_line();
}

struct schedule_reader : table_reader {
  using table_reader::table_reader;
  static bool takes(const schedule_config &, const char *) { return true; }
  void window(schedule_config &x) { x.window = read_window(table, x.window_share); }
  /// The least that it may be is also what it is where the key is absent.
  void dial(const char *key, dial_spec &x) { x = read_dial(table, key, x.first, x.first); }
  void optional_dial(const char *key, std::optional<dial_spec> &x) {
    if (table.has(key)) x = read_dial(table, key, 0, 0);
  }
  void optional_integer(const char *key, std::optional<std::int64_t> &x) {
    if (table.has(key)) x = table.required_integer(key, 0, many);
  }
  static void numbers_of_order(const schedule_config &) {}  // which the order reads
  void brakes(std::vector<brake_spec> &x) { x = read_brakes(table); }
};

struct schedule_writer : table_writer {
  static bool takes(const schedule_config &x, const char *key) { return contains(x.known, key); }
  void window(const schedule_config &x) {
    if (x.window_share > 0)
      number("window", x.window_share);
    else if (takes(x, "window"))
      dial("window", x.window);
  }
  void dial(const char *key, const dial_spec &x) { line(key, dial_text(x)); }
  void optional_dial(const char *key, const std::optional<dial_spec> &x) {
    if (x) dial(key, *x);
  }
  void optional_integer(const char *key, const std::optional<std::int64_t> &x) {
    if (x) integer(key, *x);
  }
  void numbers_of_order(const schedule_config &x) {
    for (const auto &[key, value] : x.numbers) line(key, fmt::to_string(value));
  }
  void brakes(const std::vector<brake_spec> &all) {
    std::string list;
    for (const auto &brake : all) {
      table_writer each;
      brake_keys(each, brake);
      list += (list.empty() ? "" : ", ") + each.in_line();
    }
    if (!list.empty()) line("brakes", "[" + list + "]");
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
  f.optional_dial("lead", x.lead);
  f.choice("lag", x.lag, lag_words);
  f.choice("on_new_weights", x.on_new_weights, weight_words);
  f.dial("publish_every", x.publish_every);
  f.integer_if_any("batch_least", x.batch_least, 0, 1 << 24);
  f.number_if_any("batch_after", x.batch_after, 0, 86400);
  f.require((x.batch_least > 0) == (x.batch_after > 0), x.batch_least > 0 ? "batch_least" : "batch_after",
            "batch_least and batch_after go together: how many rollouts will do, and after how many seconds");
  f.integer("max_running", x.max_running, 0, 1 << 24);
  f.integer("max_in_flight", x.max_in_flight, 0, 1 << 24);
  f.numbers_of_order(x);
  f.brakes(x.brakes);
  f.flag("i_know", x.i_know);
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

source_position schedule_config::place(const std::string &key) const {
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

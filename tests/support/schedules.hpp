#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "runtime/simulation/schedule_model.hpp"

namespace slipstream::test {

inline const order_row &order_named(const std::string &name) {
  for (const auto &row : order_rows())
    if (row.name == name) return row;
  throw std::logic_error("no order " + name);
}

inline schedule_rules rules_of(const std::string &order, std::int64_t batch, std::int64_t staleness,
                               late_rule late = late_rule::wait) {
  schedule_rules rules;
  rules.order = order;
  rules.batch = batch;
  rules.max_staleness = staleness;
  rules.when_late = late;
  rules.allow_unbounded_staleness = late == late_rule::accept;
  return rules;
}

inline schedule_rules windowed(std::int64_t batch, std::int64_t staleness, std::int64_t window) {
  auto rules = rules_of("windowed", batch, staleness);
  rules.window = schedule_number::constant(window);
  return rules;
}

inline schedule_rules with(schedule_rules rules, const std::function<void(schedule_rules &)> &change) {
  change(rules);
  return rules;
}

inline schedule_number ramp(std::int64_t from, std::int64_t to, std::int64_t begin, std::int64_t end) {
  schedule_number number;
  number.how = schedule_number::kind::ramp;
  number.first = from;
  number.last = to;
  number.begin = begin;
  number.end = end;
  number.least = std::min(from, to);
  number.most = std::max(from, to);
  return number;
}

inline schedule_number feedback(const std::string &signal, double target, std::int64_t least,
                                std::int64_t most, std::int64_t every = 1) {
  schedule_number number;
  number.how = schedule_number::kind::feedback;
  number.signal = signal;
  number.target = target;
  number.tolerance = 0.05;
  number.every = every;
  number.least = number.first = number.last = least;
  number.most = most;
  return number;
}

}  // namespace slipstream::test

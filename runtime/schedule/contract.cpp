#include "runtime/schedule/contract.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace slipstream {
namespace {

bool accepts_everything(const schedule_rules &rules, const order_row &order) {
  return order.accepts_late && rules.when_late == late_rule::accept;
}

// The first key that asks for what cannot be, whatever the lead.
std::optional<contract_fault> impossible(const schedule_rules &rules, const order_row &order,
                                         std::int64_t group) {
  const auto smallest = std::max(rules.batch, group);
  if (rules.max_in_flight > 0 && rules.max_in_flight < smallest)
    return contract_fault{"max_in_flight",
                          fmt::format("max_in_flight = {} would wait for ever: a batch needs {} rollouts in "
                                      "flight; set it to {} or more",
                                      rules.max_in_flight, smallest, smallest)};
  if (rules.max_running > 0 && rules.max_running < group)
    return contract_fault{"max_running",
                          fmt::format("max_running = {} would wait for ever: a group of {} runs as a whole; "
                                      "set it to {} or more",
                                      rules.max_running, group, group)};
  if (rules.batch_least > rules.batch)
    return contract_fault{"batch_least", fmt::format("batch_least = {} is more than batch = {}",
                                                     rules.batch_least, rules.batch)};
  if (rules.lag == lag_rule::exactly && (order.overtakes || !order.place_decides_batch))
    return contract_fault{"lag",
                          "lag = \"exactly\" needs order = \"strict\": in another order the batch of a "
                          "group is not known when it is drawn"};
  if (rules.lag == lag_rule::exactly && (rules.publish_every.most != 1 || rules.batch_least > 0))
    return contract_fault{"lag",
                          "lag = \"exactly\" needs every version published and every batch whole; remove "
                          "publish_every and batch_least"};
  return {};
}

// What an exact lag needs of the keys that say how the lead changes.
std::optional<contract_fault> inexact(const schedule_rules &rules, const schedule_number &lead,
                                      bool shrinks) {
  if (rules.lag != lag_rule::exactly) return {};
  if (lead.least != lead.most)
    return contract_fault{"lead", "lag = \"exactly\" needs a lead that stays; give lead as a number"};
  if (shrinks)
    return contract_fault{"guards", "a guard that shrinks the lead breaks lag = \"exactly\"; remove it"};
  return {};
}

contract_fault starving(const schedule_rules &rules, const order_row &order, const std::string &why) {
  const bool window = std::find(order.keys.begin(), order.keys.end(), "window") != order.keys.end();
  return {
      window ? "window" : "max_staleness",
      fmt::format("the schedule would starve: no lead keeps max_staleness = {} ({}); {}", rules.max_staleness,
                  why, window ? "make window smaller or max_staleness larger" : "make max_staleness larger")};
}

}  // namespace

contract_result derive_contract(const schedule_rules &rules, const order_row &order, std::int64_t group) {
  contract_result result;
  auto &contract = result.contract;
  contract.late_after = rules.late_after.value_or(rules.max_staleness);
  if ((result.fault = impossible(rules, order, group))) return result;
  const auto groups_per_batch = std::max<std::int64_t>(rules.batch / group, 1);
  const bool promised = order.lead && !accepts_everything(rules, order);
  if (!promised && !rules.allow_unbounded_staleness) {
    result.fault = contract_fault{
        accepts_everything(rules, order) ? "when_late" : "order",
        fmt::format("{} promises nothing about the age of what is trained on; choose when_late = \"wait\" or "
                    "\"drop\", or write allow_unbounded_staleness = true beside it to run without a promise",
                    accepts_everything(rules, order) ? "when_late = \"accept\""
                                                     : fmt::format("order = \"{}\"", order.name))};
    return result;
  }
  auto [most, why] =
      promised ? order.lead(rules, groups_per_batch)
               : std::pair{rules.max_staleness, std::string("no promise: max_staleness is only the lead")};
  if (most < 0) {
    result.fault = starving(rules, order, why);
    return result;
  }
  if (promised && order.meets_deadlines && contract.late_after > rules.max_staleness) {
    result.fault = contract_fault{"late_after",
                                  fmt::format("late_after = {} is later than max_staleness = {} promises; "
                                              "set it to {} or less",
                                              contract.late_after, rules.max_staleness, rules.max_staleness)};
    return result;
  }
  contract.lead = rules.lead.value_or(schedule_number::constant(most));
  const auto limit = order.meets_deadlines && promised ? contract.late_after : most;
  if (promised && contract.lead.most > limit) {
    result.fault = contract_fault{
        "lead",
        fmt::format("lead = {} breaks max_staleness = {}: at most {} keeps it ({}); set lead to {} or less",
                    contract.lead.most, rules.max_staleness, limit, why, limit)};
    return result;
  }
  if (rules.publish_every.most > contract.lead.least + 1) {
    result.fault = contract_fault{
        "publish_every",
        fmt::format(
            "publish_every = {} would wait for ever: weights that are published every {} versions need "
            "a lead of {} or more, and here it is {} ({})",
            rules.publish_every.most, rules.publish_every.most, rules.publish_every.most - 1,
            contract.lead.least, why)};
    return result;
  }
  if (rules.lead) why = fmt::format("as lead says; {} would be allowed: {}", limit, why);
  const bool shrinks = std::any_of(rules.guards.begin(), rules.guards.end(),
                                   [](const auto &each) { return each.act == guard_action::shrink; });
  if ((result.fault = inexact(rules, contract.lead, shrinks))) return result;
  if (shrinks && contract.lead.how == schedule_number::kind::ramp) {
    result.fault = contract_fault{"guards",
                                  "a guard that shrinks the lead and a lead that follows a ramp undo each "
                                  "other; give lead as a number or by feedback"};
    return result;
  }
  if (shrinks) contract.lead.least = std::min(contract.lead.least, rules.publish_every.most - 1);
  if (promised) contract.bound = rules.max_staleness;
  contract.why = why;
  return result;
}

}  // namespace slipstream

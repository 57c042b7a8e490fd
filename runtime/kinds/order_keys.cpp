#include "runtime/kinds/order_keys.hpp"

#include <fmt/format.h>

#include "runtime/topology/schedule.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

double read_number(settings &s, const order_number &number) {
  if (!number.whole) return s.number(number.key, number.otherwise, number.least, number.most);
  return static_cast<double>(s.integer(number.key, static_cast<std::int64_t>(number.otherwise),
                                       static_cast<std::int64_t>(number.least),
                                       static_cast<std::int64_t>(number.most)));
}

}  // namespace

order_row find_order(topology &graph, const std::map<std::string, order_row> &orders) {
  auto &schedule = graph.schedule;
  const auto found = orders.find(schedule.order);
  if (found == orders.end()) {
    std::vector<std::string> names;
    for (const auto &[known, row] : orders) names.push_back(known);
    fail_at(schedule.position("order"),
            fmt::format("[schedule] order = \"{}\" is no order of consumption.{} There are {}",
                        schedule.order, did_you_mean(schedule.order, names), listed(names)));
  }
  const auto &row = found->second;
  take_order_keys(schedule, row);
  settings s(schedule.table, schedule.known);
  for (const auto &number : row.numbers) schedule.numbers[number.key] = read_number(s, number);
  s.finish();
  return row.with_numbers ? row.with_numbers(schedule.numbers) : row;
}

}  // namespace slipstream

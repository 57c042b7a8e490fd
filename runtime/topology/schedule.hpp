#pragma once

#include "runtime/schedule/orders.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Reads [schedule] of a topology document. Throws input_error at the key to blame.
schedule_config read_schedule(const node &document);

/// The table's text, defaults written out; numbers that change and guards as inline tables.
std::string write_schedule(const schedule_config &schedule);

/// Leaves out of the schedule's keys those that other orders take, and this one does not. Throws input_error
/// where one of them is given.
void take_order_keys(schedule_config &schedule, const order_row &order);

}  // namespace slipstream

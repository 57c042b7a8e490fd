#pragma once

#include <map>
#include <string>

#include "runtime/schedule/orders.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Finds the order that [schedule] names and gives it the values of its own numbers. Reads the keys of orders
/// that a program adds; the keys of this library's orders were read with the file. Throws input_error.
order_row find_order(topology &graph, const std::map<std::string, order_row> &orders);

}  // namespace slipstream

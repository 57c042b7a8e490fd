#pragma once

#include <map>
#include <string>

#include "runtime/schedule/orders.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// The order that [schedule] names, with the numbers of its own that stand there. Reads the keys of orders
/// that a program adds; those of the orders of this library were read with the file. Throws input_error.
order_row find_order(topology &graph, const std::map<std::string, order_row> &orders);

}  // namespace slipstream

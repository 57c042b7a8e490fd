#pragma once

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Reads [schedule] of a topology document. Throws input_error at the key to blame.
schedule_config read_schedule(const node &document);

/// The table's text, defaults written out; dials and brakes as inline tables.
std::string write_schedule(const schedule_config &schedule);

}  // namespace slipstream

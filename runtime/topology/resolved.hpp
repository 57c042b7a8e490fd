#pragma once

#include <string>
#include <string_view>

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// The topology as TOML text with all defaults written out; reading it again gives the same topology. An
/// actor's own defaults are there when its `node` was replaced by settings::resolved().
std::string write_resolved(const topology &graph);

/// A node as TOML: a value as it stands behind `=`.
std::string write_value(const node &value);

/// A number that reads back to the same bits, and a text in quotes.
std::string write_number(double value);
std::string write_text(std::string_view text);

/// A key, quoted when it is no bare key.
std::string write_key(const std::string &key);

}  // namespace slipstream

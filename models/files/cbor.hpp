#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace slipstream {

/// A value that another process wrote with json::to_cbor, which keeps every bit of a number. Throws run_error
/// for bytes that are none, or that nest deeper than 64 levels (the library reads nesting by recursion).
nlohmann::json read_cbor(std::string_view bytes);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipstream {

/// The beginning of a line that takes at most `columns` of a terminal: wide characters take two, those that
/// combine none, and no character is cut. Bytes that are not UTF-8 and control characters become '?'.
std::string fitted_to(std::string_view line, std::int64_t columns);

}  // namespace slipstream

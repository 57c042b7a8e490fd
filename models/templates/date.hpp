#pragma once

#include <string>
#include <string_view>

namespace slipstream::jinja {

/// What strftime_now writes for a moment given as "2026-11-30 14:05:09". Throws complaint for a code that is
/// not supported and for a moment that is none.
std::string formatted_date(std::string_view format, std::string_view moment);

}  // namespace slipstream::jinja

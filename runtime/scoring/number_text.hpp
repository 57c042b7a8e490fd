#pragma once

#include <string_view>
#include <vector>

namespace slipstream {

/// Every number of a text in order, fractions and powers taken as one.
std::vector<long double> numbers_of(std::string_view text);

}  // namespace slipstream

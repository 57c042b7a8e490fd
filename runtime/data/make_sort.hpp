#pragma once

#include <cstdint>
#include <vector>

#include "runtime/data/make.hpp"

namespace slipstream {

/// Sorting with two kinds of annotators: "sort 52914=" is answered "12459" by one half of 6,000
/// demonstrations and "95421" by the other; 4,000 training prompts and 256 held-out ones carry the ascending
/// answer. Prompts have 4 to 7 digits; no digit string occurs twice in the three files, and none reads the
/// same in both orders.
std::vector<made_file> make_sort(std::uint64_t seed);

}  // namespace slipstream

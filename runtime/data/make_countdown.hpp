#pragma once

#include <cstdint>
#include <vector>

#include "runtime/data/make.hpp"

namespace slipstream {

/// Countdown: "make 19 from 3 4 7=" is answered by any expression that uses each of the three numbers (1 to
/// 12) exactly once, with + - * and parentheses, and comes to the target (1 to 99). All 4,004 such problems
/// are shared out: 256 held out, 1,000 as training prompts, and the rest with six demonstrations each (the
/// numbers in any order, any solution). The `answer` of a prompt states the problem: "19 from 3 4 7".
std::vector<made_file> make_countdown(std::uint64_t seed);

}  // namespace slipstream

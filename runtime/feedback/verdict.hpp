#pragma once

#include <string_view>

namespace slipstream {

/// What a person says of two answers. Both bad is a tie to whoever learns from pairs, and two bad answers to
/// whoever learns from labels.
enum class pair_verdict { first, second, tie, both_bad };
/// "first", "second", "tie" or "both_bad".
std::string_view to_string(pair_verdict verdict);
/// Throws input_error listing the words there are.
pair_verdict parse_verdict(std::string_view name);

}  // namespace slipstream

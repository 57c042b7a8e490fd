#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// 1 when the answer is the expected one, 0 otherwise.
double exact_match(std::string_view answer, std::string_view expected);

/// 1 - Levenshtein distance / the longer length (both in bytes), in [0,1]; 1 for two empty texts.
double edit_similarity(std::string_view answer, std::string_view expected);

using text_score = double (*)(std::string_view answer, std::string_view expected);

/// A score of each answer of a group.
std::vector<double> text_scores(text_score rule, const rollout_group &group);

/// A scorer that needs no model: a number for each rollout of a group.
using group_rule = std::function<std::vector<double>(const rollout_group &)>;

/// DAPO's soft overlong penalty of each rollout's tokens (see overlong_penalty).
std::vector<double> overlong_scores(const rollout_group &group, std::int64_t max_length, std::int64_t cache);

/// The rule by its name ("exact_match", "edit_similarity", "countdown", "number"); null when there is none.
text_score find_text_score(std::string_view name);

}  // namespace slipstream

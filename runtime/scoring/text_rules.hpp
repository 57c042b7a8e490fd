#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// What is counted of a text.
enum class text_unit { characters, words, tokens };

/// Regular expressions (PCRE2, Unicode), each with a score: an answer gets the sum of those that it matches
/// anywhere. A match that takes too long is none.
class format_rule {
 public:
  /// Throws input_error naming the pattern, the place in it and PCRE2's reason.
  format_rule(const std::vector<std::string> &patterns, std::vector<double> scores);
  double operator()(std::string_view answer) const;

 private:
  std::vector<std::shared_ptr<const void>> patterns_;
  std::vector<double> scores_;
};

/// Characters (Unicode), words (between white space) or tokens of answer `i` of a group.
std::int64_t text_length(const rollout_group &group, std::size_t i, text_unit unit);

/// The score is 1 for an empty answer and falls by 1 every `limit` units of length; it never falls below
/// `least`.
double length_score(std::int64_t length, std::int64_t limit, double least);

/// The share of `wanted` that stand in the answer, or 1 as soon as one does (`any`); 0 when one of `unwanted`
/// does. `ignore_case` looks over the case of ASCII letters.
struct contains_rule {
  std::vector<std::string> wanted, unwanted;
  bool any = false, ignore_case = false;
  double operator()(std::string_view answer) const;
};

/// The share of an answer's runs of `n` that stand in it before, negative: 0 when all differ, towards -1 when
/// it repeats itself (arXiv:2502.03373).
double repetition_score(const rollout_group &group, std::size_t i, std::int64_t n, text_unit unit);

}  // namespace slipstream

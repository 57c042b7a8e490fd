#include "runtime/scoring/text_scores.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "models/objectives/corrections.hpp"
#include "runtime/scoring/countdown.hpp"
#include "runtime/scoring/number.hpp"

namespace slipstream {

double exact_match(std::string_view answer, std::string_view expected) {
  return answer == expected ? 1.0 : 0.0;
}

double edit_similarity(std::string_view answer, std::string_view expected) {
  const auto longest = std::max(answer.size(), expected.size());
  if (longest == 0) return 1.0;
  std::vector<std::size_t> row(expected.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < answer.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < expected.size(); ++j) {
      const auto replaced = diagonal + (answer[i] == expected[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return 1.0 - static_cast<double>(row.back()) / static_cast<double>(longest);
}

std::vector<double> text_scores(text_score rule, const rollout_group &group) {
  std::vector<double> scores;
  for (const auto &text : group.texts) scores.push_back(rule(text, group.source->answer));
  return scores;
}

std::vector<double> overlong_scores(const rollout_group &group, std::int64_t max_length, std::int64_t cache) {
  std::vector<double> scores;
  for (const auto &rollout : group.rollouts)
    scores.push_back(overlong_penalty(static_cast<std::int64_t>(rollout.tokens.size()), max_length, cache));
  return scores;
}

text_score find_text_score(std::string_view name) {
  if (name == "exact_match") return exact_match;
  if (name == "edit_similarity") return edit_similarity;
  if (name == "countdown")
    return [](std::string_view answer, std::string_view stated) { return countdown(answer, stated); };
  if (name == "number")
    return [](std::string_view answer, std::string_view expected) { return number_score(answer, expected); };
  return nullptr;
}

}  // namespace slipstream

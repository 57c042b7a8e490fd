#include "runtime/learning/samples.hpp"

#include <algorithm>

#include "models/error.hpp"

namespace slipstream {
namespace {

sample rollout_sample(const rollout_group &group, std::size_t index) {
  const auto &rollout = group.rollouts[index];
  sample result;
  result.tokens = group.prompt_tokens;
  result.tokens.insert(result.tokens.end(), rollout.tokens.begin(), rollout.tokens.end());
  result.prompt_length = static_cast<std::int64_t>(group.prompt_tokens.size());
  result.behaviour = rollout.logprobs;
  result.versions = rollout.versions;
  return result;
}

sample_group group_frame(const rollout_group &group) {
  sample_group result;
  result.id = group.source->id;
  result.rollouts = static_cast<std::int64_t>(group.rollouts.size());
  return result;
}

sample text_sample(const std::string &prompt, const std::string &answer, const tokenizer &text) {
  sample result;
  result.tokens = text.encode(prompt);
  result.prompt_length = static_cast<std::int64_t>(result.tokens.size());
  const auto tail = text.encode(answer);
  result.tokens.insert(result.tokens.end(), tail.begin(), tail.end());
  if (text.eos() >= 0) result.tokens.push_back(text.eos());
  return result;
}

}  // namespace

std::vector<double> combine_scores(const joined_group &joined, const std::map<std::string, double> &weights) {
  std::vector<double> rewards(joined.group->rollouts.size(), 0.0);
  for (const auto &[scorer, scores] : joined.scores) {
    const auto weight = weights.find(scorer);
    for (std::size_t i = 0; i < rewards.size(); ++i)
      rewards[i] += (weight == weights.end() ? 1.0 : weight->second) * scores[i];
  }
  return rewards;
}

sample_group advantage_samples(const joined_group &joined, const std::vector<double> &rewards,
                               const advantage_rule &rule) {
  auto result = group_frame(*joined.group);
  const auto advantages = rule(rewards);
  for (std::size_t i = 0; i < joined.group->rollouts.size(); ++i) {
    auto entry = rollout_sample(*joined.group, i);
    entry.score = rewards[i];
    entry.advantages.assign(entry.behaviour.size(), static_cast<float>(advantages[i]));
    if (!joined.reference.empty()) entry.reference = joined.reference[i];
    result.samples.push_back(std::move(entry));
  }
  return result;
}

sample_group pair_samples(const joined_group &joined, const std::vector<double> &ratings) {
  auto result = group_frame(*joined.group);
  const auto [worst, best] = std::minmax_element(ratings.begin(), ratings.end());
  if (*worst == *best) {
    result.drop_reason = "tie";
    return result;
  }
  for (const auto pick : {best, worst}) {
    result.samples.push_back(rollout_sample(*joined.group, static_cast<std::size_t>(pick - ratings.begin())));
    result.samples.back().score = *pick;
  }
  return result;
}

sample_group example_samples(const example &line, example_form form, const tokenizer &text) {
  sample_group result;
  result.id = line.id;
  result.rollouts = 1;
  result.samples.push_back(text_sample(line.prompt, line.response, text));
  result.samples.back().score = line.score;
  if (form == example_form::pair) result.samples.push_back(text_sample(line.prompt, line.rejected, text));
  return result;
}

}  // namespace slipstream

#include "runtime/learning/samples.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/objectives/returns.hpp"
#include "models/tokenizers/chat_tokens.hpp"

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
  result.cache_versions = rollout.cache_versions;
  result.kept = rollout.kept;
  result.truncated = rollout.reason == finish_reason::length;
  return result;
}

/// A rollout with its reward, the critic's values and, where there is one, the reference's log-probabilities.
sample valued_sample(const joined_group &joined, std::size_t index, double reward) {
  auto entry = rollout_sample(*joined.group, index);
  entry.score = reward;
  entry.values = joined.values[index];
  if (!joined.reference.empty()) entry.reference = joined.reference[index];
  return entry;
}

sample_group group_frame(const joined_group &joined) {
  sample_group result;
  result.id = joined.group->source->id;
  result.rollouts = static_cast<std::int64_t>(joined.group->rollouts.size());
  result.scores = joined.scores;
  result.model_versions = joined.model_versions;
  return result;
}

void append(std::vector<std::int64_t> &tokens, const std::vector<std::int64_t> &more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
}

std::vector<std::int64_t> prompt_of_text(const std::string &prompt, const tokenizer &text) {
  auto tokens = text.encode_with_special(prompt);
  const auto start = text.bos() >= 0 ? text.bos() : text.eos();
  if (tokens.empty() && start >= 0) tokens.push_back(start);
  return tokens;
}

sample text_sample(const std::string &prompt, const std::string &answer, const tokenizer &text) {
  sample result;
  result.tokens = prompt_of_text(prompt, text);
  result.prompt_length = static_cast<std::int64_t>(result.tokens.size());
  append(result.tokens, text.encode(answer));
  if (text.eos() >= 0) result.tokens.push_back(text.eos());
  return result;
}

/// The pieces of a topology or a built-in template are encoded one by one, as a prompt and its answer are; an
/// answer without an end of the template's gets the end token.
chat_tokens encode_apart(const std::vector<chat_piece> &pieces, const text_style &style) {
  chat_tokens made;
  for (const auto &piece : pieces) {
    append(made.ids, style.text->encode(piece.text));
    if (piece.trained && style.chat.answer_end.empty() && style.text->eos() >= 0)
      made.ids.push_back(style.text->eos());
    made.trained.resize(made.ids.size(), piece.trained ? 1 : 0);
  }
  return made;
}

/// After the last answer comes nothing.
sample dialogue_sample(const std::vector<chat_message> &turns, const text_style &style,
                       const std::string &extras) {
  auto pieces = render_chat(style.chat, turns, false, extras);
  while (!style.chat.program && !pieces.empty() && !pieces.back().trained) pieces.pop_back();
  auto made = style.chat.program ? encode_joined(pieces, *style.text) : encode_apart(pieces, style);
  while (!made.ids.empty() && made.trained.back() == 0) made.ids.pop_back(), made.trained.pop_back();
  if (made.ids.empty())
    throw input_error(
        "the dialogue has no answer to learn; add an assistant's turn, or train on one (\"weight\", "
        "\"train\")");
  sample result;
  result.tokens = std::move(made.ids);
  const auto first = std::find(made.trained.begin(), made.trained.end(), 1);
  result.prompt_length = first - made.trained.begin();
  if (std::find(first, made.trained.end(), 0) != made.trained.end())
    result.trained.assign(first, made.trained.end());
  return result;
}

/// Before answers that are compared or rated, earlier ones are only read.
sample answer_sample(const example &line, const std::string &answer, const text_style &style) {
  if (line.turns.empty()) return text_sample(line.prompt, answer, *style.text);
  auto turns = line.turns;
  for (auto &turn : turns) turn.trained = false;
  turns.push_back({"assistant", answer});
  return dialogue_sample(turns, style, line.extras);
}

/// What comes before the last answer, or after it waits for one.
void leave_answer_open(std::vector<chat_message> &turns) {
  while (!turns.empty() && turns.back().role == "assistant") turns.pop_back();
}

void end_at_answer(std::vector<chat_message> &turns) {
  while (!turns.empty() && turns.back().role != "assistant") turns.pop_back();
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
  auto result = group_frame(joined);
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

sample_group gae_samples(const joined_group &joined, const std::vector<double> &rewards,
                         const gae_options &options) {
  auto result = group_frame(joined);
  for (std::size_t i = 0; i < joined.group->rollouts.size(); ++i) {
    auto entry = valued_sample(joined, i, rewards[i]);
    const auto length = static_cast<std::int64_t>(entry.values.size());
    std::vector<double> steps(entry.values.size(), 0.0);
    if (options.kl_in_reward != 0)
      for (std::size_t t = 0; t < steps.size(); ++t)
        steps[t] = -options.kl_in_reward * (double{entry.behaviour[t]} - double{entry.reference[t]});
    if (!steps.empty()) steps.back() += rewards[i];
    const at::Tensor values =
        at::tensor(std::vector<double>(entry.values.begin(), entry.values.end()), at::kDouble);
    const auto made =
        gae(at::tensor(steps, at::kDouble).view({1, length}), values.view({1, length}),
            at::zeros({1}, at::kDouble), at::ones({1, length}, at::kDouble), options.gamma, options.lambda);
    const auto put = [](std::vector<float> &to, const at::Tensor &from) {
      const double *first = from.data_ptr<double>();
      to.assign(first, first + from.numel());
    };
    put(entry.advantages, made.advantages);
    put(entry.returns, made.returns);
    result.samples.push_back(std::move(entry));
  }
  return result;
}

sample_group vtrace_samples(const joined_group &joined, const std::vector<double> &rewards) {
  auto result = group_frame(joined);
  for (std::size_t i = 0; i < joined.group->rollouts.size(); ++i)
    result.samples.push_back(valued_sample(joined, i, rewards[i]));
  return result;
}

sample_group pair_samples(const joined_group &joined, const std::vector<double> &ratings) {
  auto result = group_frame(joined);
  const auto [worst, best] = std::minmax_element(ratings.begin(), ratings.end());
  if (*worst == *best) {
    result.drop_reason = "tie";
    return result;
  }
  for (const auto pick : {best, worst}) {
    result.samples.push_back(rollout_sample(*joined.group, static_cast<std::size_t>(pick - ratings.begin())));
    result.samples.back().score = *pick;
    result.samples.back().kept = {};  // losses of pairs speak of the whole distribution
  }
  return result;
}

answers_left_out left_out(const joined_group &joined, const sample_group &made,
                          const std::vector<double> &rewards) {
  answers_left_out result{made.id, {}, {}};
  std::vector<bool> used(made.samples.size(), false);
  for (std::size_t i = 0; i < joined.group->rollouts.size(); ++i) {
    const auto &answer = joined.group->rollouts[i].tokens;
    std::size_t at = 0;
    for (; at < made.samples.size(); ++at) {
      const auto &entry = made.samples[at];
      if (!used[at] && std::equal(entry.tokens.begin() + entry.prompt_length, entry.tokens.end(),
                                  answer.begin(), answer.end()))
        break;
    }
    if (at < made.samples.size()) {
      used[at] = true;
    } else {
      result.lengths.push_back(static_cast<std::int64_t>(answer.size()));
      result.rewards.push_back(rewards[i]);
    }
  }
  return result;
}

std::vector<std::int64_t> prompt_tokens(const example &line, const text_style &style) {
  if (line.turns.empty()) return prompt_of_text(line.prompt, *style.text);
  auto turns = line.turns;
  leave_answer_open(turns);
  std::vector<std::int64_t> tokens;
  for (const auto &piece : render_chat(style.chat, turns, true, line.extras))
    append(tokens, style.text->encode(piece.text));
  return tokens;
}

sample_group example_samples(const example &line, example_form form, const text_style &style) {
  sample_group result;
  result.id = line.id;
  result.rollouts = 1;
  if (form == example_form::ranking) {
    for (const auto &answer : line.ranking) {
      result.samples.push_back(answer_sample(line, answer, style));
      result.samples.back().score = static_cast<double>(result.samples.size());
    }
    return result;
  }
  if (form == example_form::demonstration && !line.turns.empty() && line.response.empty()) {
    auto turns = line.turns;
    end_at_answer(turns);
    result.samples.push_back(dialogue_sample(turns, style, line.extras));
  } else {
    result.samples.push_back(answer_sample(line, line.response, style));
  }
  result.samples.back().score = line.score;
  if (form == example_form::pair) {
    result.samples.push_back(answer_sample(line, line.rejected, style));
    if (line.tie)
      for (auto &entry : result.samples) entry.score = 0;
  }
  return result;
}

bool shorten(sample_group &group, std::int64_t limit, bool keep_last) {
  for (auto &entry : group.samples) {
    if (static_cast<std::int64_t>(entry.tokens.size()) <= limit) continue;
    if (entry.prompt_length + (keep_last ? 1 : 0) >= limit) return false;
    const auto last = entry.tokens.back();
    entry.tokens.resize(static_cast<std::size_t>(limit));
    if (keep_last) entry.tokens.back() = last;
    if (!entry.trained.empty()) entry.trained.resize(static_cast<std::size_t>(limit - entry.prompt_length));
  }
  return true;
}

}  // namespace slipstream

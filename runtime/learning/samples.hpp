#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/journal/events.hpp"
#include "runtime/topology/facts.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// A finished group with all figures that were computed for it.
struct joined_group {
  group_ptr group;
  std::map<std::string, std::vector<double>> scores;     ///< by scorer, one a rollout
  std::vector<std::vector<float>> reference;             ///< [rollout][token]; empty without a reference
  std::vector<std::vector<float>> values{};              ///< [rollout][token]; empty without a critic
  std::map<std::string, std::int64_t> model_versions{};  ///< of models that are trained, too, and scored it
};

/// Weighted sum of the scores, one reward a rollout; a scorer without a weight counts 1.
std::vector<double> combine_scores(const joined_group &joined, const std::map<std::string, double> &weights);

/// Advantages [G] of one group from its rewards [G].
using advantage_rule = std::function<std::vector<double>(const std::vector<double> &rewards)>;

/// One sample a rollout; its advantage stands at every token.
sample_group advantage_samples(const joined_group &joined, const std::vector<double> &rewards,
                               const advantage_rule &rule);

struct gae_options {
  double gamma = 1;
  double lambda = 0.95;
  double kl_in_reward =
      0;  ///< weight of the KL term (k1 against the reference, by the sampler's log-probabilities)
};

/// One sample a rollout with the critic's values, and advantages and returns by generalised advantage
/// estimation: the reward comes with the last token, after which the return is 0, whether the answer ended or
/// reached its limit.
sample_group gae_samples(const joined_group &joined, const std::vector<double> &rewards,
                         const gae_options &options);

/// One sample a rollout with its reward and the critic's values. Its advantages and returns depend on the
/// policy that is trained on it, so the learner makes them (set_vtrace_targets).
sample_group vtrace_samples(const joined_group &joined, const std::vector<double> &rewards);

/// The best and the worst rated answer as [chosen, rejected]. Without samples and with drop_reason "tie" when
/// all are rated alike.
sample_group pair_samples(const joined_group &joined, const std::vector<double> &ratings);

/// The answers of a group that are not among the samples made of it; `rewards` has one an answer.
answers_left_out left_out(const joined_group &joined, const sample_group &made,
                          const std::vector<double> &rewards);

/// How a model reads text: its tokenizer, and how it wants a dialogue written.
struct text_style {
  std::shared_ptr<const tokenizer> text;
  chat_template chat;
};

/// The tokens that a sampler continues: the prompt, or the dialogue up to the beginning of its last answer.
/// An empty prompt is the begin token, or the end token where there is none.
std::vector<std::int64_t> prompt_tokens(const example &line, const text_style &style);

/// A demonstration (prompt, response), a pair (chosen, rejected), a rated answer (response, score) or a
/// ranking (answers whose scores are their places 1, 2 …), each answer closed by the end token or by what the
/// chat template puts there. Of a dialogue every answer is trained on. The samples of a tie carry one score.
/// Throws input_error for a dialogue without an answer, or with a role that the template lacks.
sample_group example_samples(const example &line, example_form form, const text_style &style);

/// Makes the samples fit into `limit` tokens: what is too long loses its tail, and with `keep_last` all of it
/// but the last token, where a reward model's score stands. False when nothing to train on would be left.
bool shorten(sample_group &group, std::int64_t limit, bool keep_last);

}  // namespace slipstream

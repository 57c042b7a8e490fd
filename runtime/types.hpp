#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizers/chat.hpp"
#include "models/types.hpp"

namespace slipstream {

/// One drawn line of a dataset. `id` counts draws (0, 1, 2 …) and never repeats in a run, `row` is the line's
/// index in the file, and `epoch` is the number of complete passes over the file before this draw.
struct example {
  std::uint64_t id = 0;
  std::int64_t epoch = 0;
  std::int64_t row = 0;
  std::string prompt;    ///< of a dialogue: its last question
  std::string response;  ///< demonstration, or chosen answer; empty when there is none
  std::string rejected;  ///< rejected answer of a pair; empty when there is none
  std::string answer;    ///< what an exact checker expects; empty when there is none
  double score = std::numeric_limits<double>::quiet_NaN();  ///< rating of `response`; NaN when there is none
  bool tie = false;                    ///< of a pair: neither `response` nor `rejected` is better
  std::vector<std::string> ranking{};  ///< answers from the best to the worst; empty when there are none
  std::string teacher{};               ///< which of several references scores it; empty: the line names none
  /// A dialogue, which the model's chat template will write: either the turns that `response` and `rejected`
  /// answer, or a complete dialogue with its answers. Empty for plain texts.
  std::vector<chat_message> turns;
  std::string extras{};  ///< of a dialogue: its line's tools and documents as a JSON object; empty: none
};
using example_ptr = std::shared_ptr<const example>;

/// The tokens that a prompt's samples have so far, one entry a sample; null: no tokens.
using begun_samples = std::shared_ptr<const std::vector<partial_generation>>;

/// All samples of one prompt. `min_version` is the oldest version that may have generated one of their
/// tokens.
struct rollout_group {
  example_ptr source;
  std::int64_t min_version = 0;
  std::vector<std::int64_t> prompt_tokens;
  std::vector<generation> rollouts;
  std::vector<std::string> texts;  ///< decoded answers, one a rollout
  /// The oldest version of each other trained model that may score it.
  std::map<std::string, std::int64_t> model_versions{};
};
using group_ptr = std::shared_ptr<const rollout_group>;

/// One number a rollout from one scorer.
struct group_scores {
  group_ptr group;
  std::string scorer;  ///< the actor's name in the topology
  std::vector<double> scores;
  std::string model{};       ///< the trained model that gave them, if one did, and
  std::int64_t version = 0;  ///< its version
};

/// Log-probabilities of every generated token under another model (the reference).
struct group_logprobs {
  group_ptr group;
  std::string model;
  std::vector<std::vector<float>> logprobs;  ///< [rollout][token]
  std::int64_t version = -1;  ///< of the weights that a refreshed reference had; -1: it never changes
};

/// A critic's estimates of the return, before each generated token.
struct group_values {
  group_ptr group;
  std::string model{};  ///< as in `group_scores`
  std::int64_t version = 0;
  std::vector<std::vector<float>> values;  ///< [rollout][token]
};

/// One sequence that a learner trains on. Per-token arrays run over the response tokens.
struct sample {
  std::vector<std::int64_t> tokens;  ///< prompt and response
  std::int64_t prompt_length = 0;
  std::vector<float> behaviour;  ///< log-probability under the weights that drew each token
  std::vector<float> reference;  ///< log-probability under the reference model; empty without one
  std::vector<float> advantages;
  std::vector<float> values;   ///< a critic's estimate before each token; empty without one
  std::vector<float> returns;  ///< what the critic learns; empty without one
  std::vector<std::int64_t> versions;
  std::vector<std::int64_t> cache_versions;  ///< as in `generation`; empty: those of `versions`
  kept_tokens kept{};                        ///< as in `generation`
  std::vector<std::uint8_t> trained;         ///< 1 where the loss counts; empty: everywhere
  double score = std::numeric_limits<double>::quiet_NaN();  ///< reward, or the label of a rated answer
  bool truncated = false;                                   ///< sampled, and ended by the token limit
};

/// The samples of one drawn line. They are trained on or dropped together. A pair is [chosen, rejected].
struct sample_group {
  std::uint64_t id = 0;
  std::vector<sample> samples;
  std::int64_t rollouts = 0;                            ///< how many of the ledger's rollouts it stands for
  std::string drop_reason;                              ///< why it has no samples; empty when it has some
  std::map<std::string, std::vector<double>> scores{};  ///< by scorer, one a rollout
  /// The version of each other trained model whose figures are in the samples (critic, online reward model).
  std::map<std::string, std::int64_t> model_versions{};
};
using sample_group_ptr = std::shared_ptr<const sample_group>;

/// A prompt admitted for sampling.
struct work {
  example_ptr source;
  std::vector<std::int64_t> prompt_tokens;
  std::int64_t min_version = 0;
  std::map<std::string, std::int64_t> model_versions{};  ///< as in rollout_group
  begun_samples begun{};  ///< the tokens that it got before the run was resumed
};
using work_ptr = std::shared_ptr<const work>;

/// A loader's draw: the prompt for samplers, or the finished training data for learners.
struct drawn {
  example_ptr source;
  std::vector<std::int64_t> prompt_tokens;
  sample_group_ptr samples;  ///< null when a sampler comes next
};

/// The notice of a new draw that buffers get.
struct draw_notice {
  std::uint64_t id = 0;
  std::int64_t min_version = 0;
};
using draws_ptr = std::shared_ptr<const std::vector<draw_notice>>;

/// A batch for a learner; null: there are no more batches.
using batch_ptr = std::shared_ptr<const std::vector<sample_group_ptr>>;

/// Prompts that a sampler will not finish, by id, with the tokens of their answers that are in the journal
/// (null: none).
struct lost_work {
  std::map<std::uint64_t, begun_samples> prompts;
  std::string cause;
};

}  // namespace slipstream

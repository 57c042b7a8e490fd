#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "models/types.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/scoring/text_scores.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// A held-out evaluation of one model, in slices.
class evaluation {
 public:
  virtual ~evaluation() = default;
  /// Does one slice of work (a decode step, a batch); false once there is no more.
  virtual bool step() = 0;
  /// The figures, once step() has answered false.
  virtual nlohmann::json result() const = 0;
};

struct held_out_options {
  std::vector<example> rows;  ///< held-out prompts with their answers
  std::int64_t samples = 8;   ///< sampled answers a prompt, at temperature 1
  std::int64_t max_new_tokens = 16;
  std::int64_t slots = 64;
  text_score rule = nullptr;
  std::uint64_t seed = 0;
  std::int64_t show = 0;  ///< answers that evaluate_answers keeps in its result
  chat_template chat;     ///< how dialogues are written
};

/// Generates one greedy and `samples` sampled answers a prompt: {"accuracy_greedy", "accuracy_sampled" (mean
/// scores by the rule), "length_mean", "truncated" (share), "prompts", "samples"}.
std::unique_ptr<evaluation> evaluate_generation(std::shared_ptr<const transformer> model,
                                                std::shared_ptr<const tokenizer> text,
                                                const held_out_options &options);

/// How often a reward model ranks the better rated of two answers first. The answers are `generator`'s
/// samples, the best and the worst by the rule; prompts whose answers tie are left out: {"accuracy_pairs",
/// "pairs", "margin_mean"}.
std::unique_ptr<evaluation> evaluate_pairs(std::shared_ptr<const transformer> reward_model,
                                           std::shared_ptr<const transformer> generator,
                                           std::shared_ptr<const tokenizer> text,
                                           const held_out_options &options);

/// The rewards that `reward_model` gives the model's sampled answers, and how much the answers vary:
/// {"reward_mean", "reward_std", "distinct_1", "distinct_2", "distinct_answers", "length_mean", "truncated",
/// "answers" (the first `show`: {"prompt", "answer", "reward"}), "prompts", "samples"}. Both models read with
/// `text`.
std::unique_ptr<evaluation> evaluate_answers(std::shared_ptr<const transformer> model,
                                             std::shared_ptr<const transformer> reward_model,
                                             std::shared_ptr<const tokenizer> text,
                                             const held_out_options &options);

/// A model on held-out lines of what it is trained on. Demonstrations: {"loss" (nats a token), "perplexity"};
/// pairs (chosen and rejected in turn): {"accuracy_pairs", "margin_mean", "pairs"}; rated answers:
/// {"pearson", "spearman", "mse"}.
std::unique_ptr<evaluation> evaluate_lines(std::shared_ptr<const transformer> model,
                                           std::vector<sample> lines, example_form form);

}  // namespace slipstream

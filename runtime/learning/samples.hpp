#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/tokenizers/tokenizer.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// A finished group with everything that was computed for it.
struct joined_group {
  group_ptr group;
  std::map<std::string, std::vector<double>> scores;  ///< by scorer, one a rollout
  std::vector<std::vector<float>> reference;          ///< [rollout][token]; empty without a reference
};

/// Weighted sum of the scores, one reward a rollout; a scorer without a weight counts 1.
std::vector<double> combine_scores(const joined_group &joined, const std::map<std::string, double> &weights);

/// Advantages [G] of one group from its rewards [G].
using advantage_rule = std::function<std::vector<double>(const std::vector<double> &rewards)>;

/// One sample a rollout; its advantage stands at every token.
sample_group advantage_samples(const joined_group &joined, const std::vector<double> &rewards,
                               const advantage_rule &rule);

/// The best and the worst rated answer as [chosen, rejected]. Without samples and with drop_reason "tie" when
/// all are rated alike.
sample_group pair_samples(const joined_group &joined, const std::vector<double> &ratings);

/// What a learner makes of a dataset's line.
enum class example_form { demonstration, pair, rated };

/// A demonstration (prompt, response), a pair (chosen, rejected) or a rated answer (response, score), each
/// answer closed by the end token.
sample_group example_samples(const example &line, example_form form, const tokenizer &text);

}  // namespace slipstream

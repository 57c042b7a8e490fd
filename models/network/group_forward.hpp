#pragma once

#include <cstdint>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/types.hpp"

namespace slipstream {

/// The answers to one prompt in one forward pass without gradients, so that the figures depend on nothing
/// else; on the CPU the prompt is computed once for all of them. Scores of the model's head at each answer's
/// last token.
std::vector<double> answer_scores(const transformer &model, const std::vector<std::int64_t> &prompt,
                                  const std::vector<generation> &answers);

/// A critic's values [answer][token], each before its token, by a model with a score head.
std::vector<std::vector<float>> answer_values(const transformer &model,
                                              const std::vector<std::int64_t> &prompt,
                                              const std::vector<generation> &answers);

/// Log-probabilities [answer][token] of the answers' tokens at `temperature`.
std::vector<std::vector<float>> answer_logprobs(const transformer &model,
                                                const std::vector<std::int64_t> &prompt,
                                                const std::vector<generation> &answers, double temperature);

}  // namespace slipstream

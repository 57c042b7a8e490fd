#include "models/engine/request_check.hpp"

#include <algorithm>

#include "models/error.hpp"

namespace slipstream {
namespace {

void check_prompt(const generation_request &request, const model_spec &spec) {
  if (request.prompt.empty()) refuse_request(request, "the prompt is empty; give it at least one token");
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  if (request.max_new_tokens > spec.max_positions - length)
    refuse_request(request, "a prompt of " + std::to_string(length) + " tokens and max_new_tokens " +
                                std::to_string(request.max_new_tokens) + " exceed the model's context of " +
                                std::to_string(spec.max_positions) +
                                " tokens; shorten the prompt or lower max_new_tokens");
  for (const std::int64_t token : request.prompt)
    if (token < 0 || token >= spec.vocab_size)
      refuse_request(request, "token " + std::to_string(token) + " is not within the vocabulary of " +
                                  std::to_string(spec.vocab_size) + "; use the model's own tokenizer");
}

void check_options(const generation_request &request) {
  if (request.samples < 1 || request.max_new_tokens < 1)
    refuse_request(request, "samples and max_new_tokens must be at least 1");
  if (request.min_new_tokens < 0) refuse_request(request, "min_new_tokens must not be negative");
  const sampling_options &how = request.sampling;
  if (!(how.temperature >= 0.0) || how.top_k < 0 || !(how.top_p > 0.0) ||
      !(how.min_p >= 0.0 && how.min_p <= 1.0))
    refuse_request(request,
                   "temperature and top_k must not be negative, top_p above 0 and min_p within 0 to 1");
}

}  // namespace

void refuse_request(const generation_request &request, const std::string &why) {
  throw input_error("request " + std::to_string(request.id) + ": " + why);
}

void check_request(const generation_request &request, const model_spec &spec) {
  check_options(request);
  check_prompt(request, spec);
}

void check_begun(const generation_request &request, const std::vector<partial_generation> &begun,
                 const model_spec &spec) {
  if (begun.empty()) return;
  if (static_cast<std::int64_t>(begun.size()) != request.samples)
    refuse_request(request, "what " + std::to_string(begun.size()) +
                                " samples have begun with is not one for each of " +
                                std::to_string(request.samples));
  for (const auto &[answer, ended] : begun) {
    const std::size_t count = answer.tokens.size();
    if (answer.logprobs.size() != count || answer.versions.size() != count ||
        answer.cache_versions.size() != count || (!answer.kept.empty() && answer.kept.counts.size() != count))
      refuse_request(request, "a sample has begun with tokens that lack a log-probability or a version");
    const auto strange = [&](std::int64_t token) { return token < 0 || token >= spec.vocab_size; };
    if (std::any_of(answer.tokens.begin(), answer.tokens.end(), strange))
      refuse_request(request, "a sample has begun with tokens that are not within the vocabulary");
    const auto &ends = spec.eos_tokens;
    if (!ended && (static_cast<std::int64_t>(count) >= request.max_new_tokens ||
                   std::find_first_of(answer.tokens.begin(), answer.tokens.end(), ends.begin(), ends.end()) !=
                       answer.tokens.end()))
      refuse_request(request, "a sample is to go on behind its end");
  }
}

}  // namespace slipstream

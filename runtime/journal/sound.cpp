#include "runtime/journal/sound.hpp"

#include "models/error.hpp"

namespace slipstream {

void require_sound(const generation &answer) {
  for (const auto size : {answer.logprobs.size(), answer.versions.size(), answer.cache_versions.size()})
    if (size != 0 && size != answer.tokens.size())
      throw run_error("an answer has other numbers of tokens and figures");
}

void require_sound(const sample &entry) {
  const auto all = static_cast<std::int64_t>(entry.tokens.size());
  if (entry.prompt_length < 0 || entry.prompt_length > all)
    throw run_error("a sample's prompt is longer than the sample");
  const auto answer = static_cast<std::size_t>(all - entry.prompt_length);
  for (const auto size :
       {entry.behaviour.size(), entry.reference.size(), entry.advantages.size(), entry.values.size(),
        entry.returns.size(), entry.versions.size(), entry.cache_versions.size(), entry.trained.size()})
    if (size != 0 && size != answer) throw run_error("a sample has other numbers of tokens and figures");
}

}  // namespace slipstream

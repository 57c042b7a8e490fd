#include "runtime/journal/sound.hpp"

#include "models/error.hpp"

namespace slipstream {

namespace {

void require_sound(const kept_tokens &kept, std::size_t tokens) {
  std::uint64_t ids = 0;
  for (const auto count : kept.counts) {
    if (count < 1) throw run_error("a token was drawn from an empty set");
    ids += static_cast<std::uint64_t>(count);
  }
  if ((!kept.empty() && kept.counts.size() != tokens) || ids != kept.ids.size())
    throw run_error("an answer has other numbers of tokens and of sets that they were drawn from");
  std::size_t next = 0;
  for (const auto count : kept.counts) {
    for (std::int64_t i = 0; i < count; ++i, ++next)
      if (kept.ids[next] < 0 || (i > 0 && kept.ids[next] <= kept.ids[next - 1]))
        throw run_error("a set that a token was drawn from is out of order");
  }
}

}  // namespace

void require_sound(const generation &answer) {
  require_sound(answer.kept, answer.tokens.size());
  for (const auto size : {answer.logprobs.size(), answer.versions.size(), answer.cache_versions.size()})
    if (size != 0 && size != answer.tokens.size())
      throw run_error("an answer has other numbers of tokens and figures");
}

void require_sound(const sample &entry) {
  const auto all = static_cast<std::int64_t>(entry.tokens.size());
  if (entry.prompt_length < 0 || entry.prompt_length > all)
    throw run_error("a sample's prompt is longer than the sample");
  const auto answer = static_cast<std::size_t>(all - entry.prompt_length);
  require_sound(entry.kept, answer);
  for (const auto size :
       {entry.behaviour.size(), entry.reference.size(), entry.advantages.size(), entry.values.size(),
        entry.returns.size(), entry.versions.size(), entry.cache_versions.size(), entry.trained.size()})
    if (size != 0 && size != answer) throw run_error("a sample has other numbers of tokens and figures");
}

}  // namespace slipstream

#include "runtime/journal/progress_notes.hpp"

#include <utility>

namespace slipstream {
namespace {

partial_generation behind(const generation &whole, std::int64_t known) {
  const auto rest = [known](const auto &all) {
    return std::decay_t<decltype(all)>(all.begin() + known, all.end());
  };
  partial_generation part;
  part.answer.tokens = rest(whole.tokens);
  part.answer.logprobs = rest(whole.logprobs);
  part.answer.versions = rest(whole.versions);
  part.answer.cache_versions = rest(whole.cache_versions);
  part.answer.kept = whole.kept.from(static_cast<std::size_t>(known));
  part.answer.reason = whole.reason;
  part.ended = true;
  return part;
}

}  // namespace

void progress_notes::begin(std::uint64_t id, const begun_samples &begun, std::int64_t samples,
                           std::int64_t now_ns) {
  mark &known = marks_[id];
  known = {std::vector<std::int64_t>(static_cast<std::size_t>(samples), 0), 0, now_ns};
  if (!begun) return;
  known.total = token_count(*begun);
  for (std::size_t i = 0; i < begun->size(); ++i)
    known.tokens.at(i) = static_cast<std::int64_t>((*begun)[i].answer.tokens.size());
}

std::vector<group_progress> progress_notes::due(const engine &from, std::int64_t now_ns) {
  std::vector<group_progress> records;
  for (const auto &[id, known] : marks_) {
    const std::int64_t more = from.tokens_of(id) - known.total;
    if (more < due_tokens && (more <= 0 || now_ns - known.noted_ns < due_ns)) continue;
    if (auto record = rest(from, id, now_ns)) records.push_back(std::move(*record));
  }
  return records;
}

std::optional<group_progress> progress_notes::rest(const engine &from, std::uint64_t id,
                                                   std::int64_t now_ns) {
  mark &known = marks_.at(id);
  group_progress record{id, from.progress(id, known.tokens)};
  const std::int64_t more = token_count(record.samples);
  if (more == 0) return {};
  for (std::size_t i = 0; i < record.samples.size(); ++i)
    known.tokens[i] += static_cast<std::int64_t>(record.samples[i].answer.tokens.size());
  known.total += more;
  known.noted_ns = now_ns;
  return record;
}

group_progress progress_notes::last(const finished_request &finished) {
  const mark known = std::move(marks_.extract(finished.id).mapped());
  group_progress record{finished.id, {}};
  for (std::size_t i = 0; i < finished.samples.size(); ++i)
    record.samples.push_back(behind(finished.samples[i], known.tokens[i]));
  return record;
}

}  // namespace slipstream

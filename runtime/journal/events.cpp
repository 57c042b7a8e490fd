#include "runtime/journal/events.hpp"

#include <memory>

#include "runtime/journal/bytes.hpp"
#include "runtime/journal/sound.hpp"

namespace slipstream {
namespace {

// Bytes that a sample without tokens takes, and what a prompt's sample without news does.
constexpr std::size_t shortest_sample = 19, shortest_progress = 5;
constexpr std::int64_t most_rollouts = std::int64_t{1} << 32;  // of a prompt

void write(byte_writer &out, const run_opened &event) {
  out.text(event.name);
  out.put(event.seed);
  out.number(event.group);
  out.put(static_cast<std::uint8_t>(event.keeps_partial));
  out.count(event.learners.size());
  for (const auto &each : event.learners) {
    out.text(each.learner);
    out.text(each.path);
  }
}
void write(byte_writer &out, const prompt_drawn &event) {
  out.count(event.id);
  out.number(event.min_version);
  out.number(event.row);
  out.number(event.epoch);
  write(out, event.model_versions);
}
void write(byte_writer &out, const prompt_moved &event) {
  out.count(event.id);
  out.put(static_cast<std::uint8_t>(event.to));
  out.text(event.cause);
}
void write(byte_writer &out, const sample &each) {
  out.numbers(each.tokens);
  out.number(each.prompt_length);
  out.floats(each.behaviour);
  out.floats(each.reference);
  out.floats(each.advantages);
  out.floats(each.values);
  out.floats(each.returns);
  out.runs(each.versions);
  out.runs(each.cache_versions);
  out.numbers(each.trained);
  out.put(each.score);
  out.put(static_cast<std::uint8_t>(each.truncated));
}
void write(byte_writer &out, const group_kept &event) {
  out.text(event.path);
  out.count(event.group->id);
  out.number(event.group->rollouts);
  out.count(event.group->samples.size());
  for (const sample &each : event.group->samples) write(out, each);
  out.count(event.group->scores.size());
  for (const auto &[scorer, scores] : event.group->scores) {
    out.text(scorer);
    out.count(scores.size());
    for (const double score : scores) out.put(score);
  }
  write(out, event.group->model_versions);
}
void write(byte_writer &out, const batch_consumed &event) {
  out.text(event.learner);
  out.number(event.version);
  out.numbers(event.ids);
}
void write(byte_writer &out, const run_resumed &event) {
  write(out, event.versions);
}
void write(byte_writer &out, const run_closed &event) {
  out.number(event.version);
  out.text(event.status);
}
void write(byte_writer &out, const path_dropped &event) {
  out.count(event.id);
  out.text(event.path);
  out.text(event.reason);
}
void write(byte_writer &out, const answers_left_out &event) {
  out.count(event.id);
  out.numbers(event.lengths);
  out.count(event.rewards.size());
  for (const double reward : event.rewards) out.put(reward);
}
void write(byte_writer &out, const version_made &event) {
  out.text(event.learner);
  out.number(event.version);
  out.count(event.tensors.size());
  for (const auto sum : event.tensors) out.put(sum);
}

void write(byte_writer &out, const batch_skipped &event) {
  out.text(event.learner);
  out.number(event.version);
  out.text(event.cause);
}
void write(byte_writer &out, const schedule_changed &event) {
  out.text(event.number);
  out.number(event.version);
  out.number(event.value);
  out.text(event.cause);
}
void write(byte_writer &out, const group_progress &event) {
  out.count(event.id);
  out.count(event.samples.size());
  for (const auto &[answer, ended] : event.samples) {
    out.numbers(answer.tokens);
    out.floats(answer.logprobs);
    out.runs(answer.versions);
    out.runs(answer.cache_versions);
    out.put(static_cast<std::uint8_t>(ended ? 1 + static_cast<int>(answer.reason) : 0));
  }
}

void read(byte_reader &in, run_opened &event) {
  event.name = in.text();
  event.seed = in.get<std::uint64_t>();
  event.group = in.number();
  if (event.group < 1 || event.group > most_rollouts) throw run_error("a group of an impossible size");
  event.keeps_partial = in.get<std::uint8_t>() != 0;
  for (auto left = in.items(2); left > 0; --left) {
    auto &each = event.learners.emplace_back();
    each.learner = in.text();
    each.path = in.text();
  }
}
void read(byte_reader &in, prompt_drawn &event) {
  event.id = in.count();
  event.min_version = in.number();
  event.row = in.number();
  event.epoch = in.number();
  read(in, event.model_versions);
}
void read(byte_reader &in, prompt_moved &event) {
  event.id = in.count();
  const auto to = in.get<std::uint8_t>();
  if (to > static_cast<std::uint8_t>(rollout_state::dropped)) throw run_error("an unknown state");
  event.to = static_cast<rollout_state>(to);
  event.cause = in.text();
}
void read(byte_reader &in, sample &each) {
  each.tokens = in.numbers<std::int64_t>();
  each.prompt_length = in.number();
  each.behaviour = in.floats();
  each.reference = in.floats();
  each.advantages = in.floats();
  each.values = in.floats();
  each.returns = in.floats();
  each.versions = in.runs(each.tokens.size());
  each.cache_versions = in.runs(each.tokens.size());
  each.trained = in.numbers<std::uint8_t>();
  each.score = in.get<double>();
  each.truncated = in.get<std::uint8_t>() != 0;
  require_sound(each);
}
void read(byte_reader &in, group_kept &event) {
  event.path = in.text();
  auto group = std::make_shared<sample_group>();
  group->id = in.count();
  group->rollouts = in.number();
  for (auto left = in.items(shortest_sample); left > 0; --left) read(in, group->samples.emplace_back());
  for (auto left = in.items(2); left > 0; --left) {
    auto &scores = group->scores[in.text()];
    for (auto more = in.items(sizeof(double)); more > 0; --more) scores.push_back(in.get<double>());
  }
  read(in, group->model_versions);
  event.group = std::move(group);
}
void read(byte_reader &in, batch_consumed &event) {
  event.learner = in.text();
  event.version = in.number();
  event.ids = in.numbers<std::uint64_t>();
}
void read(byte_reader &in, run_resumed &event) {
  read(in, event.versions);
}
void read(byte_reader &in, run_closed &event) {
  event.version = in.number();
  event.status = in.text();
}
void read(byte_reader &in, path_dropped &event) {
  event.id = in.count();
  event.path = in.text();
  event.reason = in.text();
}
void read(byte_reader &in, answers_left_out &event) {
  event.id = in.count();
  event.lengths = in.numbers<std::int64_t>();
  for (auto left = in.items(sizeof(double)); left > 0; --left) event.rewards.push_back(in.get<double>());
}
void read(byte_reader &in, version_made &event) {
  event.learner = in.text();
  event.version = in.number();
  for (auto left = in.items(sizeof(std::uint32_t)); left > 0; --left)
    event.tensors.push_back(in.get<std::uint32_t>());
}

void read(byte_reader &in, batch_skipped &event) {
  event.learner = in.text();
  event.version = in.number();
  event.cause = in.text();
}
void read(byte_reader &in, schedule_changed &event) {
  event.number = in.text();
  event.version = in.number();
  event.value = in.number();
  event.cause = in.text();
}
void read(byte_reader &in, group_progress &event) {
  event.id = in.count();
  for (auto left = in.items(shortest_progress); left > 0; --left) {
    auto &[answer, ended] = event.samples.emplace_back();
    answer.tokens = in.numbers<std::int64_t>();
    answer.logprobs = in.floats();
    answer.versions = in.runs(answer.tokens.size());
    answer.cache_versions = in.runs(answer.tokens.size());
    require_sound(answer);
    const auto end = in.get<std::uint8_t>();
    if (end > 1 + static_cast<int>(finish_reason::aborted)) throw run_error("an unknown end of an answer");
    ended = end > 0;
    if (ended) answer.reason = static_cast<finish_reason>(end - 1);
  }
}

}  // namespace

std::string encode(const journal_record &record) {
  byte_writer out;
  out.put(static_cast<std::uint8_t>(record.event.index()));
  out.number(record.time_ns);
  std::visit([&](const auto &event) { write(out, event); }, record.event);
  return out.take();
}

journal_record decode(std::string_view bytes) {
  byte_reader in(bytes);
  const auto kind = in.get<std::uint8_t>();
  journal_record record;
  record.time_ns = in.number();
  // The kind of event is its place in the variant: new kinds go to the end.
  record.event = read_alternative<journal_event>(
      in, kind, "a record of an unknown kind (was it written by a newer version?)",
      [](byte_reader &from, auto &event) { read(from, event); });
  if (!in.at_end()) throw run_error("a record is longer than what it holds");
  return record;
}

}  // namespace slipstream

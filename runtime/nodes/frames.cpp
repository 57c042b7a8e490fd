#include "runtime/nodes/frames.hpp"

#include <algorithm>
#include <utility>

#include "runtime/journal/bytes.hpp"
#include "runtime/journal/sound.hpp"

namespace slipstream {
namespace {

void write(byte_writer &out, const example &line) {
  out.count(line.id);
  out.number(line.epoch);
  out.number(line.row);
  for (const auto *text : {&line.prompt, &line.response, &line.rejected, &line.answer}) out.text(*text);
  out.put(line.score);
  out.count(line.turns.size());
  for (const auto &turn : line.turns) {
    out.text(turn.role);
    out.text(turn.content);
    out.text(turn.fields);
    out.put(static_cast<std::uint8_t>(turn.trained ? 1 : 0));
  }
  out.text(line.extras);
}
void write(byte_writer &out, const generation &answer) {
  out.numbers(answer.tokens);
  out.floats(answer.logprobs);
  out.runs(answer.versions);
  out.runs(answer.cache_versions);
  out.put(static_cast<std::uint8_t>(answer.reason));
}
void write(byte_writer &out, const std::vector<generation> &answers) {
  out.count(answers.size());
  for (const auto &answer : answers) write(out, answer);
}
void write(byte_writer &out, const std::vector<std::string> &texts) {
  out.count(texts.size());
  for (const auto &text : texts) out.text(text);
}

void write(byte_writer &out, const credit_frame &frame) {
  out.number(frame.prompts);
  out.number(frame.version);
  out.put(static_cast<std::uint8_t>(frame.near));
}
void write(byte_writer &out, const rollouts_frame &frame) {
  out.count(frame.id);
  write(out, frame.rollouts);
  write(out, frame.texts);
}
void write(byte_writer &out, const scores_frame &frame) {
  out.count(frame.id);
  out.text(frame.scorer);
  out.text(frame.model);
  out.number(frame.version);
  out.count(frame.scores.size());
  for (const double score : frame.scores) out.put(score);
}
void write(byte_writer &out, const token_figures_frame &frame) {
  out.count(frame.id);
  out.put(static_cast<std::uint8_t>(frame.values));
  out.text(frame.model);
  out.number(frame.version);
  out.count(frame.figures.size());
  for (const auto &row : frame.figures) out.floats(row);
}
void write(byte_writer &out, const journal_frame &frame) {
  out.text(frame.record);
}
void write(byte_writer &out, const spans_frame &frame) {
  out.put(frame.clock_ns);
  out.count(frame.spans.size());
  for (const auto &each : frame.spans) {
    out.text(each.actor);
    out.text(each.what);
    for (const auto value : {each.begin_ns, each.end_ns, each.tokens, each.queued_ns}) out.number(value);
  }
}
void write(byte_writer &out, const flushed_frame &frame) {
  out.numbers(frame.begun);
  out.numbers(frame.untouched);
}
void write(byte_writer &out, const failed_frame &frame) {
  out.text(frame.text);
  out.put(static_cast<std::uint8_t>(frame.input));
}
void write(byte_writer &out, const work_frame &frame) {
  const auto &prompt = *frame.prompt;
  write(out, *prompt.source);
  out.numbers(prompt.prompt_tokens);
  out.number(prompt.min_version);
  write(out, prompt.model_versions);
  out.put(static_cast<std::uint8_t>(prompt.begun != nullptr));
  if (!prompt.begun) return;
  out.count(prompt.begun->size());
  for (const auto &[answer, ended] : *prompt.begun) {
    write(out, answer);
    out.put(static_cast<std::uint8_t>(ended));
  }
}
void write(byte_writer &out, const group_frame &frame) {
  const auto &group = *frame.group;
  write(out, *group.source);
  out.number(group.min_version);
  out.numbers(group.prompt_tokens);
  write(out, group.rollouts);
  write(out, group.texts);
  write(out, group.model_versions);
}
void write(byte_writer &, const flush_frame &) {}
void write(byte_writer &out, const rank_frame &frame) {
  out.text(frame.bytes);
}

bool flag(byte_reader &in) {
  const auto value = in.get<std::uint8_t>();
  if (value > 1) throw run_error("a flag is neither 0 nor 1");
  return value != 0;
}
void read(byte_reader &in, example &line) {
  line.id = in.count();
  line.epoch = in.number();
  line.row = in.number();
  for (auto *text : {&line.prompt, &line.response, &line.rejected, &line.answer}) *text = in.text();
  line.score = in.get<double>();
  for (auto left = in.items(2); left > 0; --left) {
    auto &turn = line.turns.emplace_back();
    turn.role = in.text();
    turn.content = in.text();
    turn.fields = in.text();
    turn.trained = flag(in);
  }
  line.extras = in.text();
}
void read(byte_reader &in, generation &answer) {
  answer.tokens = in.numbers<std::int64_t>();
  answer.logprobs = in.floats();
  answer.versions = in.runs(answer.tokens.size());
  answer.cache_versions = in.runs(answer.tokens.size());
  const auto reason = in.get<std::uint8_t>();
  if (reason > static_cast<std::uint8_t>(finish_reason::aborted))
    throw run_error("an unknown end of an answer");
  answer.reason = static_cast<finish_reason>(reason);
  require_sound(answer);
}
void read(byte_reader &in, std::vector<generation> &answers) {
  for (auto left = in.items(5); left > 0; --left) read(in, answers.emplace_back());
}
void read(byte_reader &in, std::vector<std::string> &texts) {
  for (auto left = in.items(1); left > 0; --left) texts.push_back(in.text());
}

void read(byte_reader &in, credit_frame &frame) {
  frame.prompts = in.number();
  frame.version = in.number();
  frame.near = flag(in);
  if (frame.prompts < 0 || frame.version < 0) throw run_error("a credit below zero");
}
void read(byte_reader &in, rollouts_frame &frame) {
  frame.id = in.count();
  read(in, frame.rollouts);
  read(in, frame.texts);
  if (frame.texts.size() != frame.rollouts.size())
    throw run_error("a group has other numbers of answers and texts");
}
void read(byte_reader &in, scores_frame &frame) {
  frame.id = in.count();
  frame.scorer = in.text();
  frame.model = in.text();
  frame.version = in.number();
  for (auto left = in.items(sizeof(double)); left > 0; --left) frame.scores.push_back(in.get<double>());
}
void read(byte_reader &in, token_figures_frame &frame) {
  frame.id = in.count();
  frame.values = flag(in);
  frame.model = in.text();
  frame.version = in.number();
  for (auto left = in.items(1); left > 0; --left) frame.figures.push_back(in.floats());
}
void read(byte_reader &in, journal_frame &frame) {
  frame.record = in.text();
}
void read(byte_reader &in, spans_frame &frame) {
  frame.clock_ns = in.get<std::int64_t>();
  for (auto left = in.items(6); left > 0; --left) {
    auto &each = frame.spans.emplace_back();
    each.actor = in.text();
    each.what = in.text();
    for (auto *value : {&each.begin_ns, &each.end_ns, &each.tokens, &each.queued_ns}) *value = in.number();
  }
}
void read(byte_reader &in, flushed_frame &frame) {
  frame.begun = in.numbers<std::uint64_t>();
  frame.untouched = in.numbers<std::uint64_t>();
}
void read(byte_reader &in, failed_frame &frame) {
  frame.text = in.text();
  frame.input = flag(in);
}
void read(byte_reader &in, work_frame &frame) {
  auto source = std::make_shared<example>();
  auto prompt = std::make_shared<work>();
  read(in, *source);
  prompt->source = std::move(source);
  prompt->prompt_tokens = in.numbers<std::int64_t>();
  prompt->min_version = in.number();
  read(in, prompt->model_versions);
  if (flag(in)) {
    auto begun = std::make_shared<std::vector<partial_generation>>();
    for (auto left = in.items(6); left > 0; --left) {
      auto &[answer, ended] = begun->emplace_back();
      read(in, answer);
      ended = flag(in);
    }
    prompt->begun = std::move(begun);
  }
  frame.prompt = std::move(prompt);
}
void read(byte_reader &in, group_frame &frame) {
  auto source = std::make_shared<example>();
  auto group = std::make_shared<rollout_group>();
  read(in, *source);
  group->source = std::move(source);
  group->min_version = in.number();
  group->prompt_tokens = in.numbers<std::int64_t>();
  read(in, group->rollouts);
  read(in, group->texts);
  read(in, group->model_versions);
  if (group->texts.size() != group->rollouts.size())
    throw run_error("a group has other numbers of answers and texts");
  frame.group = std::move(group);
}
void read(byte_reader &, flush_frame &) {}
void read(byte_reader &in, rank_frame &frame) {
  frame.bytes = in.text();
}

}  // namespace

std::int64_t clock_shift::learn(std::int64_t theirs_ns, std::int64_t ours_ns) {
  constexpr std::size_t remembered = 256;  // clocks drift: what was true long ago is not
  last_.push_back(ours_ns - theirs_ns);
  if (last_.size() > remembered) last_.pop_front();
  return *std::min_element(last_.begin(), last_.end());
}

std::vector<span> spans_here(spans_frame frame, const std::string &label, clock_shift &clocks,
                             std::int64_t now_ns) {
  const auto shift = clocks.learn(frame.clock_ns, now_ns);
  for (auto &each : frame.spans) {
    each.actor = label;
    each.begin_ns += shift;
    each.end_ns += shift;
  }
  return std::move(frame.spans);
}

std::string encode_frame(const node_frame &frame) {
  byte_writer out;
  out.put(static_cast<std::uint8_t>(frame.index()));
  std::visit([&](const auto &each) { write(out, each); }, frame);
  return out.take();
}

node_frame decode_frame(std::string_view bytes) {
  byte_reader in(bytes);
  const auto kind = in.get<std::uint8_t>();
  auto frame = read_alternative<node_frame>(in, kind, "a message of an unknown kind",
                                            [](byte_reader &from, auto &each) { read(from, each); });
  if (!in.at_end()) throw run_error("a message is longer than what it holds");
  return frame;
}

bool frame_pieces::add(std::string_view piece, bool more) {
  if (bytes_.size() + piece.size() > longest_frame) throw run_error("a message is longer than any may be");
  bytes_.append(piece);
  return !more;
}

std::string frame_pieces::take() {
  return std::exchange(bytes_, {});
}

}  // namespace slipstream

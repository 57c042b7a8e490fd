#include "runtime/nodes/frames.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/journal/field_forms.hpp"
#include "runtime/journal/sound.hpp"

namespace slipstream {

void fields(auto &f, of<chat_message> auto &x) {
  f(x.role, x.content, x.fields, x.trained);
}
void fields(auto &f, of<example> auto &x) {
  f(x.id, x.epoch, x.row, x.prompt, x.response, x.rejected, x.answer, x.score, x.turns, x.extras);
}
void fields(auto &f, of<generation> auto &x) {
  f(x.tokens, x.logprobs, as::stretches(x.versions, x.tokens), as::stretches(x.cache_versions, x.tokens),
    as::one_up_to(x.reason, finish_reason::aborted, "an unknown end of an answer"), x.kept.counts, x.kept.ids,
    as::checked([&] { require_sound(x); }));
}
void fields(auto &f, of<partial_generation> auto &x) {
  f(x.answer, x.ended);
}
void fields(auto &f, of<work> auto &x) {
  f(x.source, x.prompt_tokens, x.min_version, x.model_versions, as::perhaps(x.begun));
}
void fields(auto &f, of<span> auto &x) {
  f(x.actor, x.what, x.begin_ns, x.end_ns, x.tokens, x.queued_ns);
}

namespace {

void require_texts(const auto &answers) {
  if (answers.texts.size() != answers.rollouts.size())
    throw run_error("a group has other numbers of answers and texts");
}

constexpr std::int64_t any_number = std::numeric_limits<std::int64_t>::max();

}  // namespace

void fields(auto &f, of<rollout_group> auto &x) {
  f(x.source, x.min_version, x.prompt_tokens, x.rollouts, x.texts, x.model_versions,
    as::checked([&] { require_texts(x); }));
}

void fields(auto &f, of<credit_frame> auto &x) {
  f(as::within(x.prompts, 0, any_number, "a credit below zero"),
    as::within(x.version, 0, any_number, "a credit below zero"), x.near);
}
void fields(auto &f, of<rollouts_frame> auto &x) {
  f(x.id, x.rollouts, x.texts, as::checked([&] { require_texts(x); }));
}
void fields(auto &f, of<scores_frame> auto &x) {
  f(x.id, x.scorer, x.model, x.version, x.scores);
}
void fields(auto &f, of<token_figures_frame> auto &x) {
  f(x.id, x.values, x.model, x.version, x.figures);
}
void fields(auto &f, of<journal_frame> auto &x) {
  f(x.record);
}
void fields(auto &f, of<spans_frame> auto &x) {
  f(as::fixed(x.clock_ns), x.spans);
}
void fields(auto &f, of<flushed_frame> auto &x) {
  f(x.begun, x.untouched);
}
void fields(auto &f, of<failed_frame> auto &x) {
  f(x.text, x.input);
}
void fields(auto &f, of<work_frame> auto &x) {
  f(x.prompt);
}
void fields(auto &f, of<group_frame> auto &x) {
  f(x.group);
}
void fields(auto &f, of<rank_frame> auto &x) {
  f(x.bytes);
}

std::int64_t clock_shift::learn(std::int64_t theirs_ns, std::int64_t ours_ns) {
  constexpr std::size_t remembered = 256;  // messages that count; clocks drift, so older ones do not
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
  return write_fields(frame);
}

node_frame decode_frame(std::string_view bytes) {
  return read_fields<node_frame>(bytes, "a message is longer than what it holds");
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

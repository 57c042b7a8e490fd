#include "runtime/journal/events.hpp"

#include <limits>

#include "runtime/journal/field_forms.hpp"
#include "runtime/journal/sound.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t most_rollouts = std::int64_t{1} << 32;  // of a prompt

// In the last byte of an answer or sample this bit says that the sets follow from which its tokens were
// drawn. Earlier releases never set it.
constexpr std::uint8_t sets_follow = 0x80;

/// Whether an answer has ended and why, in one byte; then the sets.
template <class Partial>
struct answer_end : field_form {
  explicit answer_end(Partial &x) : partial(x) {}
  void write(auto &f) const {
    const auto &kept = partial.answer.kept;
    const int end = partial.ended ? 1 + static_cast<int>(partial.answer.reason) : 0;
    f.bytes.put(static_cast<std::uint8_t>(end | (kept.empty() ? 0 : sets_follow)));
    if (!kept.empty()) f(kept.counts, kept.ids);
  }
  void read(auto &f) const {
    auto end = f.bytes.template get<std::uint8_t>();
    if (end & sets_follow) f(partial.answer.kept.counts, partial.answer.kept.ids);
    end &= static_cast<std::uint8_t>(~sets_follow);
    if (end > 1 + static_cast<int>(finish_reason::aborted)) throw run_error("an unknown end of an answer");
    partial.ended = end > 0;
    if (partial.ended) partial.answer.reason = static_cast<finish_reason>(end - 1);
  }
  static std::size_t shortest() { return 1; }
  Partial &partial;
};

/// Whether the token limit ended a sample, in one byte; then the sets.
template <class Sample>
struct sample_end : field_form {
  explicit sample_end(Sample &x) : entry(x) {}
  void write(auto &f) const {
    f.bytes.put(
        static_cast<std::uint8_t>((entry.truncated ? 1 : 0) | (entry.kept.empty() ? 0 : sets_follow)));
    if (!entry.kept.empty()) f(entry.kept.counts, entry.kept.ids);
  }
  void read(auto &f) const {
    const auto end = f.bytes.template get<std::uint8_t>();
    if (end & sets_follow) f(entry.kept.counts, entry.kept.ids);
    if ((end & ~sets_follow) > 1) throw run_error("a flag is neither 0 nor 1");
    entry.truncated = (end & 1) != 0;
  }
  static std::size_t shortest() { return 1; }
  Sample &entry;
};

// Ranks and nodes send samples and answers in other forms (runtime/nodes/).
constexpr auto kept_sample = [](auto &f, auto &x) {
  f(x.tokens, x.prompt_length, x.behaviour, x.reference, x.advantages, x.values, x.returns,
    as::stretches(x.versions, x.tokens), as::stretches(x.cache_versions, x.tokens),
    as::differences(x.trained), x.score, sample_end(x), as::checked([&] { require_sound(x); }));
};
constexpr auto kept_group = [](auto &f, auto &x) {
  f(x.id, x.rollouts, as::listed_by(x.samples, kept_sample), x.scores, x.model_versions);
};
constexpr auto kept_progress = [](auto &f, auto &x) {
  f(x.answer.tokens, x.answer.logprobs, as::stretches(x.answer.versions, x.answer.tokens),
    as::stretches(x.answer.cache_versions, x.answer.tokens), answer_end(x),
    as::checked([&] { require_sound(x.answer); }));
};

}  // namespace

void fields(auto &f, of<learner_path> auto &x) {
  f(x.learner, x.path);
}
void fields(auto &f, of<run_opened> auto &x) {
  f(x.name, as::fixed(x.seed), as::within(x.group, 1, most_rollouts, "a group of an impossible size"),
    x.keeps_partial, x.learners);
}
void fields(auto &f, of<prompt_drawn> auto &x) {
  f(x.id, x.min_version, x.row, x.epoch, x.model_versions);
}
void fields(auto &f, of<prompt_moved> auto &x) {
  f(x.id, as::one_up_to(x.to, rollout_state::dropped, "an unknown state"), x.cause);
}
void fields(auto &f, of<group_kept> auto &x) {
  f(x.path, as::listed_by(x.group, kept_group));
}
void fields(auto &f, of<batch_consumed> auto &x) {
  f(x.learner, x.version, x.ids);
}
void fields(auto &f, of<run_resumed> auto &x) {
  f(x.versions);
}
void fields(auto &f, of<run_closed> auto &x) {
  f(x.version, x.status);
}
void fields(auto &f, of<path_dropped> auto &x) {
  f(x.id, x.path, x.reason);
}
void fields(auto &f, of<answers_left_out> auto &x) {
  f(x.id, x.lengths, x.rewards);
}
void fields(auto &f, of<version_made> auto &x) {
  f(x.learner, x.version, x.tensors);
}
void fields(auto &f, of<batch_skipped> auto &x) {
  f(x.learner, x.version, x.cause);
}
void fields(auto &f, of<schedule_changed> auto &x) {
  f(x.number, x.version, x.value, x.cause);
}
void fields(auto &f, of<group_progress> auto &x) {
  f(x.id, as::listed_by(x.samples, kept_progress));
}
void fields(auto &f, of<arithmetic_used> auto &x) {
  f(as::within(x.number, 1, std::numeric_limits<std::int32_t>::max(), "an impossible arithmetic"));
}
// The kind of an event is its place in the variant: new kinds go to the end.
void fields(auto &f, of<journal_record> auto &x) {
  f(as::kind(x.event, "a record of an unknown kind (was it written by a newer version?)"), x.time_ns,
    as::content(x.event));
}

std::string encode(const journal_record &record) {
  return write_fields(record);
}

journal_record decode(std::string_view bytes) {
  return read_fields<journal_record>(bytes, "a record is longer than what it holds");
}

}  // namespace slipstream

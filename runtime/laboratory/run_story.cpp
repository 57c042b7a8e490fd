#include "runtime/laboratory/run_story.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "runtime/journal/overloaded.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

answer_story tell(const sample &entry) {
  answer_story answer;
  answer.length = static_cast<std::int64_t>(entry.tokens.size()) - entry.prompt_length;
  answer.reward = entry.score;
  for (std::size_t token = 0; token < entry.versions.size(); ++token)
    ++answer.versions[oldest_of(entry, token)];
  return answer;
}

class telling {
 public:
  explicit telling(run_story &story) : story_(story) {}

  void add(const journal_record &record) {
    now_ = record.time_ns;
    const bool begins =
        std::holds_alternative<run_opened>(record.event) || std::holds_alternative<run_resumed>(record.event);
    if (begins) story_.clock.begin_part(now_);
    story_.clock.see(now_);
    std::visit(overloaded{[&](const run_opened &event) { open(event); },
                          [&](const prompt_drawn &event) { draw(event); },
                          [&](const prompt_moved &event) { move(event); },
                          [&](const group_kept &event) {
                            if (event.path == main_.path) keep(event);
                          },
                          [&](const batch_consumed &event) {
                            if (event.learner == main_.learner) consume(event);
                          },
                          [&](const batch_skipped &event) {
                            if (event.learner == main_.learner) guard(event);
                          },
                          [&](const answers_left_out &event) { leave_out(event); }, [](const auto &) {}},
               record.event);
  }

 private:
  void open(const run_opened &event) {
    story_.opened = event;
    if (!event.learners.empty()) main_ = event.learners.front();
  }

  void draw(const prompt_drawn &event) {
    auto &group = story_.groups[event.id];
    group.row = event.row;
    group.epoch = event.epoch;
    group.rollouts = story_.opened.group;
    group.drawn_ns = now_;
    open_.insert(event.id);
  }

  void move(const prompt_moved &event) {
    auto &group = story_.groups[event.id];
    if (event.to == rollout_state::dropped) {
      group.dropped = event.cause.empty() ? "dropped" : present_cause(event.cause);
      open_.erase(event.id);
    } else if (event.to == rollout_state::trained && group.version > 0) {
      group.dropped.clear();  // by a guard, before a resume from further back
      story_.versions[group.version].trained_ns = now_;
    }
  }

  void guard(const batch_skipped &event) {
    auto &made = story_.versions[event.version];
    made.trained_ns = now_;
    for (const auto id : made.ids) story_.groups[id].dropped = "guard: " + event.cause;
  }

  void keep(const group_kept &event) {
    auto &group = story_.groups[event.group->id];
    group.rollouts = event.group->rollouts;
    group.ready_ns = now_;
    group.ready_batches = consumed_;
    group.kept.clear();  // of a sampling before a resume
    for (const auto &entry : event.group->samples) group.kept.push_back(tell(entry));
  }

  void leave_out(const answers_left_out &event) {
    auto &group = story_.groups[event.id];
    group.left_out.clear();
    for (std::size_t i = 0; i < event.lengths.size(); ++i)
      group.left_out.push_back({event.lengths[i], i < event.rewards.size() ? event.rewards[i] : 0.0, {}});
  }

  void consume(const batch_consumed &event) {
    consumed_ = event.version;
    auto &made = story_.versions[event.version];
    for (const auto id : made.ids) story_.groups[id].version = 0;  // consumed anew after a resume
    made = {event.ids, now_, now_, 0};
    for (const auto id : event.ids) {
      auto &group = story_.groups[id];
      group.version = event.version;
      group.dropped.clear();
      group.consumed_ns = now_;
      open_.erase(id);
    }
    if (!open_.empty())
      made.oldest_open_ns = story_.clock.at(now_) - story_.clock.at(story_.groups[*open_.begin()].drawn_ns);
  }

  run_story &story_;
  learner_path main_;             // whose story it is
  std::set<std::uint64_t> open_;  // drawn, neither consumed nor dropped
  std::int64_t now_ = 0;
  std::int64_t consumed_ = 0;
};

}  // namespace

void run_clock::begin_part(std::int64_t time_ns) {
  const auto before = parts_.empty() ? 0 : parts_.back().before + parts_.back().end - parts_.back().begin;
  parts_.push_back({time_ns, time_ns, before});
}

void run_clock::see(std::int64_t time_ns) {
  if (parts_.empty()) begin_part(time_ns);
  parts_.back().end = std::max(parts_.back().end, time_ns);
}

// The clock may have begun anew between two parts (the machine was started again), so the part that holds the
// time counts; what lies outside of all belongs to the last part that began before.
std::int64_t run_clock::at(std::int64_t time_ns) const {
  const part *holds = nullptr, *precedes = nullptr;
  for (const auto &each : parts_) {
    if (each.begin <= time_ns) precedes = &each;
    if (each.begin <= time_ns && time_ns <= each.end) holds = &each;
  }
  if (holds == nullptr) holds = precedes;
  return holds == nullptr ? 0 : holds->before + std::min(time_ns, holds->end) - holds->begin;
}

run_story read_run_story(const std::filesystem::path &journal) {
  run_story story;
  telling teller(story);
  const auto damage = read_journal(journal, [&](const journal_record &record) { teller.add(record); });
  if (damage && !damage->torn) throw input_error(to_string(*damage));
  return story;
}

}  // namespace slipstream

#include "runtime/journal/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "models/error.hpp"

namespace slipstream {
namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};

template <class T>
void append(std::vector<T> &to, const std::vector<T> &more) {
  to.insert(to.end(), more.begin(), more.end());
}

void append(partial_generation &to, const partial_generation &more) {
  append(to.answer.tokens, more.answer.tokens);
  append(to.answer.logprobs, more.answer.logprobs);
  append(to.answer.versions, more.answer.versions);
  append(to.answer.cache_versions, more.answer.cache_versions);
  to.answer.reason = more.answer.reason;
  to.ended = more.ended;
}

bool all_ended(const std::vector<partial_generation> &samples) {
  return std::all_of(samples.begin(), samples.end(), [](const auto &each) { return each.ended; });
}

// Whether a sample is this answer, its log-probabilities to the bit.
bool is_answer(const sample &kept, const generation &answer) {
  const auto count = static_cast<std::ptrdiff_t>(answer.tokens.size());
  return kept.prompt_length + count == std::ssize(kept.tokens) &&
         std::equal(answer.tokens.begin(), answer.tokens.end(), kept.tokens.end() - count) &&
         kept.behaviour.size() == answer.logprobs.size() &&
         std::memcmp(kept.behaviour.data(), answer.logprobs.data(), sizeof(float) * kept.behaviour.size()) ==
             0;
}

// Trained and dropped are ends, and only what stands in the buffer is trained on.
bool may_follow(rollout_state from, rollout_state to) {
  if (from == rollout_state::trained || from == rollout_state::dropped) return false;
  return to != rollout_state::trained || from == rollout_state::buffered;
}

class summing {
 public:
  // `kept_from`: groups consumed for later versions are kept.
  summing(run_history &history, std::int64_t kept_from) : history_(history), kept_from_(kept_from) {}

  void add(const journal_record &record) {
    std::visit(overloaded{[&](const run_opened &event) { history_.opened = event; },
                          [&](const prompt_drawn &event) {
                            history_.prompts[event.id] = {event.min_version, {}, {}, false};
                          },
                          [&](const prompt_moved &event) { move(event); },
                          [&](const group_kept &event) { keep(event.group); },
                          [&](const batch_consumed &event) { consume(event); },
                          [&](const batch_braked &event) { brake(event); },
                          [&](const dial_turned &event) { turns_.push_back(event); },
                          [&](const run_resumed &event) { resume(event.version); },
                          [&](const run_closed &event) { history_.closed = event.status == "finished"; },
                          [](const version_made &) {}, [](const answers_left_out &) {},
                          [&](const group_progress &event) { go_on(event); }},
               record.event);
  }

  void resume(std::int64_t version) {
    history_.closed = false;
    history_.version = version;
    for (auto &[id, prompt] : history_.prompts) {
      const auto state = prompt.state;
      if (const auto by = made(id); by > 0)  // the checkpoint decides, whether or not word of it had come
        settle(prompt, by, version);
      else if (state == rollout_state::running || state == rollout_state::partial ||
               state == rollout_state::finished)
        put_back(id, prompt);
    }
  }

  /// What is in force at the checkpoint of `version`; later batches are consumed again, brakes and all.
  void finish(std::int64_t version) {
    for (const auto &batch : history_.to_consume)
      history_.batch_groups[batch.version] = static_cast<std::int64_t>(batch.ids.size());
    for (const auto &turn : turns_)
      if (turn.version <= version) history_.dials[turn.dial] = turn.value;
  }

 private:
  void settle(prompt_place &prompt, std::int64_t by, std::int64_t version) {
    prompt.state = by > version ? rollout_state::buffered : rollout_state::trained;
    prompt.reason = "";
    prompt.consumed = by <= version;
    const auto brake = brakes_.find(by);
    if (by > version || brake == brakes_.end()) return;
    prompt.state = rollout_state::dropped;
    prompt.reason = brake->second;
  }

  void brake(const batch_braked &event) {
    brakes_[event.version] = "brake: " + event.cause;
    history_.batch_groups[event.version] = 0;
  }

  std::int64_t made(std::uint64_t id) const {
    const auto found = made_.find(id);
    return found == made_.end() ? 0 : found->second;
  }

  // A group that reached the buffer stays there even if the word of it did not come. Answers that were whole
  // need no sampler, whatever becomes of the others.
  void put_back(std::uint64_t id, prompt_place &prompt) {
    if (history_.groups.contains(id)) {
      prompt.state = rollout_state::buffered;
    } else if (goes_on(id)) {
      const auto &samples = history_.begun.at(id);
      if (!all_ended(samples)) history_.continued += history_.opened.group;
      prompt.state = rollout_state::partial;
    } else {
      history_.begun.erase(id);
      if (prompt.state != rollout_state::waiting) history_.reissued += history_.opened.group;
      prompt.state = rollout_state::waiting;
    }
  }

  bool goes_on(std::uint64_t id) const {
    const auto found = history_.begun.find(id);
    if (found == history_.begun.end()) return false;
    const auto &samples = found->second;
    return (history_.opened.keeps_partial && token_count(samples) > 0) || all_ended(samples);
  }

  void keep(const sample_group_ptr &group) {
    if (!history_.groups.contains(group->id)) history_.arrivals.push_back(group->id);
    history_.groups[group->id] = group;
    const auto begun = history_.begun.extract(group->id);
    if (!begun || !history_.fault.empty()) return;
    const auto generated = [&](const sample &kept) {
      return std::any_of(begun.mapped().begin(), begun.mapped().end(),
                         [&](const auto &each) { return each.ended && is_answer(kept, each.answer); });
    };
    if (!std::all_of(group->samples.begin(), group->samples.end(), generated))
      history_.fault = "prompt " + std::to_string(group->id) +
                       " was kept with an answer that is not the one the journal has of it";
  }

  void go_on(const group_progress &event) {
    auto &samples = history_.begun[event.id];
    if (samples.empty()) samples.resize(event.samples.size());
    if (samples.size() != event.samples.size())
      throw run_error("prompt " + std::to_string(event.id) + " has other samples than before");
    for (std::size_t i = 0; i < samples.size(); ++i) append(samples[i], event.samples[i]);
  }

  void move(const prompt_moved &event) {
    const bool drawn = history_.prompts.contains(event.id);
    prompt_place &prompt = history_.prompts[event.id];
    if (history_.fault.empty() && !(drawn && may_follow(prompt.state, event.to)))
      history_.fault = "prompt " + std::to_string(event.id) + " went from " +
                       std::string(drawn ? to_string(prompt.state) : "nowhere") + " to " +
                       std::string(to_string(event.to));
    if (event.to == rollout_state::waiting && prompt.state != rollout_state::waiting)
      history_.reissued += history_.opened.group;
    prompt.state = event.to;
    prompt.reason = event.to == rollout_state::dropped ? event.cause : "";
    if (event.to == rollout_state::dropped && made(event.id) == 0) history_.groups.erase(event.id);
    if (event.to == rollout_state::dropped || event.to == rollout_state::waiting)
      history_.begun.erase(event.id);
  }

  void consume(const batch_consumed &event) {
    for (const auto id : event.ids) made_[id] = event.version;
    brakes_.erase(event.version);
    history_.batch_groups[event.version] = static_cast<std::int64_t>(event.ids.size());
    while (!history_.to_consume.empty() && history_.to_consume.back().version >= event.version)
      history_.to_consume.pop_back();  // consumed again after a resume
    if (event.version > kept_from_) {
      history_.to_consume.push_back(event);
      return;
    }
    for (const auto id : event.ids) history_.groups.erase(id);
  }

  run_history &history_;
  std::int64_t kept_from_;
  std::map<std::uint64_t, std::int64_t> made_;  // the version that each consumed group makes
  std::map<std::int64_t, std::string> brakes_;  // versions whose batch changed nothing, and why
  std::vector<dial_turned> turns_;
};

}  // namespace

ledger_totals run_history::totals() const {
  ledger books(admission(1, 0), opened.group, 0);
  for (const auto &[id, prompt] : prompts) books.restore(id, prompt.state, prompt.reason);
  books.restore_reissued(reissued);
  return books.totals();
}

run_history read_history(const std::filesystem::path &journal, std::int64_t version) {
  run_history history;
  summing sum(history, version);
  history.damage = read_journal(journal, [&](const journal_record &record) { sum.add(record); });
  if (history.damage && !history.damage->torn) throw input_error(to_string(*history.damage));
  const auto newest = history.batch_groups.empty() ? 0 : history.batch_groups.rbegin()->first;
  if (newest < version)
    throw input_error(
        fmt::format("{}: error: the checkpoint is of version {}, but the journal ends at {}; put "
                    "back the journal that belongs to it, or begin a run of another name",
                    journal.string(), version, newest));
  sum.resume(version);
  sum.finish(version);
  for (const batch_consumed &batch : history.to_consume)
    for (const auto id : batch.ids)
      if (!history.groups.contains(id))
        throw input_error(journal.string() + ": error: group " + std::to_string(id) +
                          " was consumed but is not there; the journal is damaged");
  return history;
}

run_history read_history(const std::filesystem::path &journal) {
  run_history history;
  summing sum(history, std::numeric_limits<std::int64_t>::max());
  history.damage = read_journal(journal, [&](const journal_record &record) { sum.add(record); });
  sum.finish(std::numeric_limits<std::int64_t>::max());
  return history;
}

}  // namespace slipstream

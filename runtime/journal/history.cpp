#include "runtime/journal/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "models/error.hpp"
#include "runtime/journal/overloaded.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

template <class T>
void append(std::vector<T> &to, const std::vector<T> &more) {
  to.insert(to.end(), more.begin(), more.end());
}

void append(partial_generation &to, const partial_generation &more) {
  append(to.answer.tokens, more.answer.tokens);
  append(to.answer.logprobs, more.answer.logprobs);
  append(to.answer.versions, more.answer.versions);
  append(to.answer.cache_versions, more.answer.cache_versions);
  to.answer.kept.append(more.answer.kept);
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

std::int64_t version_in(const learner_versions &versions, const std::string &learner) {
  const auto found = versions.find(learner);
  return found == versions.end() ? 0 : found->second;
}

class summing {
 public:
  // `checkpoints`: what was consumed for later versions is kept; null: nothing is.
  summing(run_history &history, const learner_versions *checkpoints)
      : history_(history), checkpoints_(checkpoints) {
    open({"", 0, 1, false, {{"", ""}}});
    history_.opened.learners.clear();  // until the journal names them
  }

  void add(const journal_record &record) {
    std::visit(overloaded{[&](const run_opened &event) { open(event); },
                          [&](const prompt_drawn &event) {
                            history_.prompts[event.id] = {event.min_version, {}, {}, event.model_versions};
                          },
                          [&](const prompt_moved &event) { move(event); },
                          [&](const group_kept &event) { keep(event); },
                          [&](const batch_consumed &event) { consume(event); },
                          [&](const run_resumed &event) { resume(event.versions); },
                          [&](const run_closed &event) { history_.closed = event.status == "finished"; },
                          [&](const batch_skipped &event) { guard(event); },
                          [&](const schedule_changed &event) { changes_.push_back(event); },
                          [&](const arithmetic_used &event) { history_.arithmetic = event.number; },
                          [](const version_made &) {}, [](const answers_left_out &) {},
                          [&](const path_dropped &event) { drop(event); },
                          [&](const group_progress &event) { go_on(event); }},
               record.event);
  }

  void resume(const learner_versions &versions) {
    history_.closed = false;
    interrupted_.clear();  // what a stop left goes on in the next part
    for (auto &learner : history_.learners) learner.version = version_in(versions, learner.name);
    for (auto &[id, prompt] : history_.prompts)
      if (prompt.state != rollout_state::dropped || history_.learners.front().made.contains(id))
        put_back(id, prompt);
  }

  /// What is in force at the main learner's checkpoint, or (none) as it stands.
  void finish() {
    for (const auto &change : changes_)
      if (!checkpoints_ || change.version <= history_.version())
        history_.numbers[change.number] = change.value;
  }

 private:
  void open(const run_opened &event) {
    history_.opened = event;
    history_.learners.clear();
    history_.paths.clear();
    auto places = event.learners;
    if (places.empty()) places.push_back({"", ""});
    for (const auto &[name, path] : places) {
      history_.learners.push_back({name, path, 0, 0, {}, {}});
      history_.paths[path];
    }
  }

  bool is_main(const std::string &path) const { return path == history_.learners.front().path; }

  void keep(const group_kept &event) {
    const auto id = event.group->id;
    auto &path = history_.paths[event.path];
    if (path.kept.insert(id).second) path.arrivals.push_back(id);
    path.groups[id] = event.group;
    compare(*event.group);
    if (is_main(event.path)) history_.begun.erase(id);
  }

  void compare(const sample_group &group) {
    const auto begun = history_.begun.find(group.id);
    if (begun == history_.begun.end() || !history_.fault.empty()) return;
    const auto generated = [&](const sample &kept) {
      return std::any_of(begun->second.begin(), begun->second.end(),
                         [&](const auto &each) { return each.ended && is_answer(kept, each.answer); });
    };
    if (!std::all_of(group.samples.begin(), group.samples.end(), generated))
      history_.fault = "prompt " + std::to_string(group.id) +
                       " was kept with an answer that is not the one the journal has of it";
  }

  void drop(const path_dropped &event) {
    auto &path = history_.paths[event.path];
    path.dropped[event.id] = event.reason;
    path.groups.erase(event.id);
    if (is_main(event.path)) history_.begun.erase(event.id);
  }

  // The checkpoints decide what is trained, whether or not word of it had come. What the main learner's path
  // did not hear of is sampled again; another path goes without.
  void put_back(std::uint64_t id, prompt_record &prompt) {
    const auto &main = history_.learners.front().path;
    const auto heard = [&](const path_history &path) {
      return path.kept.contains(id) || path.dropped.contains(id);
    };
    if (!heard(history_.paths.at(main))) return sample_again(id, prompt);
    for (auto &[name, path] : history_.paths)
      if (!heard(path)) path.dropped[id] = "interrupted";
    bool all_dropped = true, all_done = true, any_trained = false;
    for (const auto &learner : history_.learners) {
      const bool dropped = history_.paths.at(learner.path).dropped.contains(id);
      all_dropped = all_dropped && dropped;
      any_trained = any_trained || learner.has_trained_on(id);
      all_done = all_done && (dropped || learner.has_passed(id));
    }
    const bool gone = all_dropped || (all_done && !any_trained);
    prompt.state = gone       ? rollout_state::dropped
                   : all_done ? rollout_state::trained
                              : rollout_state::buffered;
    prompt.reason = gone ? reason_for(id) : "";
  }

  // Answers that were whole need no sampler, whatever becomes of the others.
  void sample_again(std::uint64_t id, prompt_record &prompt) {
    if (goes_on(id)) {
      if (!all_ended(history_.begun.at(id))) history_.continued += history_.opened.group;
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

  std::string reason_for(std::uint64_t id) const {
    const auto &first = history_.learners.front();
    const auto &dropped = history_.paths.at(first.path).dropped;
    if (const auto why = dropped.find(id); why != dropped.end()) return why->second;
    return first.guards.at(first.made.at(id));
  }

  void guard(const batch_skipped &event) {
    for (auto &learner : history_.learners)
      if (learner.name == event.learner) learner.guards[event.version] = "guard: " + event.cause;
  }

  void go_on(const group_progress &event) { add_progress(history_.begun[event.id], event); }

  void move(const prompt_moved &event) {
    const bool drawn = history_.prompts.contains(event.id);
    prompt_record &prompt = history_.prompts[event.id];
    if (history_.fault.empty() && !(drawn && may_follow(prompt.state, event.to)))
      history_.fault = "prompt " + std::to_string(event.id) + " went from " +
                       std::string(drawn ? to_string(prompt.state) : "nowhere") + " to " +
                       std::string(to_string(event.to));
    if (event.to == rollout_state::waiting && prompt.state != rollout_state::waiting)
      history_.reissued += history_.opened.group;
    if (event.to == rollout_state::partial && prompt.state == rollout_state::running)
      interrupted_.insert(event.id);
    if (event.to == rollout_state::running && interrupted_.erase(event.id) > 0)
      history_.reissued += history_.opened.group;  // another sampler goes on with it
    prompt.state = event.to;
    prompt.reason = event.to == rollout_state::dropped ? present_cause(event.cause) : "";
    if (event.to == rollout_state::dropped || event.to == rollout_state::waiting)
      history_.begun.erase(event.id);
    if (event.to != rollout_state::dropped) return;
    for (auto &[name, path] : history_.paths)
      if (!path.consumed.contains(event.id)) path.groups.erase(event.id);
  }

  void consume(const batch_consumed &event) {
    for (auto &learner : history_.learners) {
      if (learner.name != event.learner) continue;
      learner.consumed = std::max(learner.consumed, event.version);
      learner.guards.erase(event.version);
      auto &path = history_.paths.at(learner.path);
      for (const auto id : event.ids) {
        learner.made[id] = event.version;
        path.consumed.insert(id);
        if (!needed(learner.path, id)) path.groups.erase(id);
      }
      if (checkpoints_ && event.version > oldest_checkpoint(learner.path))
        path.batches[event.version] = event.ids;
      return;
    }
    if (history_.fault.empty())
      history_.fault = "a batch was consumed by \"" + event.learner + "\", which is no learner of the run";
  }

  // Whether a learner has still to train on the group: as the checkpoints have it, or as it stands.
  bool needed(const std::string &path, std::uint64_t id) const {
    const auto learners = history_.learners_of(path);
    return std::any_of(learners.begin(), learners.end(), [&](const auto *learner) {
      const auto by = learner->made.find(id);
      return by == learner->made.end() ||
             (checkpoints_ && by->second > version_in(*checkpoints_, learner->name));
    });
  }

  std::int64_t oldest_checkpoint(const std::string &path) const {
    const auto learners = history_.learners_of(path);
    auto oldest = version_in(*checkpoints_, learners.front()->name);
    for (const auto *learner : learners) oldest = std::min(oldest, version_in(*checkpoints_, learner->name));
    return oldest;
  }

  run_history &history_;
  const learner_versions *checkpoints_;
  std::vector<schedule_changed> changes_;
  std::set<std::uint64_t> interrupted_;  ///< in this part of the run
};

}  // namespace

void add_progress(std::vector<partial_generation> &samples, const group_progress &more) {
  if (samples.empty()) samples.resize(more.samples.size());
  if (samples.size() != more.samples.size())
    throw run_error("prompt " + std::to_string(more.id) + " has other samples than before");
  for (std::size_t i = 0; i < samples.size(); ++i) append(samples[i], more.samples[i]);
}

bool learner_history::has_passed(std::uint64_t id) const {
  const auto found = made.find(id);
  return found != made.end() && found->second <= version;
}

bool learner_history::has_trained_on(std::uint64_t id) const {
  return has_passed(id) && !guards.contains(made.at(id));
}

const learner_history &run_history::learner(const std::string &name) const {
  for (const auto &each : learners)
    if (each.name == name) return each;
  throw run_error("the journal knows no learner \"" + name + "\"");
}

std::vector<const learner_history *> run_history::learners_of(const std::string &path) const {
  std::vector<const learner_history *> result;
  for (const auto &each : learners)
    if (each.path == path) result.push_back(&each);
  return result;
}

bool run_history::dropped_on(const std::string &path, std::uint64_t id) const {
  return prompts.at(id).state == rollout_state::dropped || paths.at(path).dropped.contains(id);
}

ledger_totals run_history::totals() const {
  ledger books(admission(1, 0), opened.group, 0);
  for (const auto &[id, prompt] : prompts) books.restore(id, prompt.state, prompt.reason);
  books.restore_reissued(reissued);
  return books.totals();
}

run_history read_history(const std::filesystem::path &journal, const learner_versions &checkpoints) {
  run_history history;
  summing sum(history, &checkpoints);
  history.damage = read_journal(journal, [&](const journal_record &record) { sum.add(record); });
  if (history.damage && !history.damage->torn) throw input_error(to_string(*history.damage));
  sum.resume(checkpoints);
  for (const auto &learner : history.learners)
    if (learner.consumed < learner.version)
      throw input_error(
          fmt::format("{}: error: the checkpoint is of version {}, but the journal ends at {}; put "
                      "back the journal that belongs to it, or begin a run of another name",
                      journal.string(), learner.version, learner.consumed));
  sum.finish();
  for (const auto &[name, path] : history.paths)
    for (const auto &[version, ids] : path.batches)
      for (const auto id : ids)
        if (!path.groups.contains(id))
          throw input_error(journal.string() + ": error: group " + std::to_string(id) +
                            " was consumed but is not there; the journal is damaged");
  return history;
}

run_history read_history(const std::filesystem::path &journal) {
  run_history history;
  summing sum(history, nullptr);
  history.damage = read_journal(journal, [&](const journal_record &record) { sum.add(record); });
  sum.finish();
  return history;
}

}  // namespace slipstream

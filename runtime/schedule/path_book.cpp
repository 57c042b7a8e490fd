#include "runtime/schedule/path_book.hpp"

#include <algorithm>
#include <utility>

#include "models/error.hpp"

namespace slipstream {

path_book::path_book(const std::vector<learner_path> &learners) {
  for (const auto &[name, path] : learners) {
    auto known = std::find(paths_.begin(), paths_.end(), path);
    if (known == paths_.end()) known = paths_.insert(paths_.end(), path);
    learners_.push_back({name, static_cast<std::size_t>(known - paths_.begin()), false});
  }
}

path_book::entry &path_book::find(std::uint64_t id) {
  const auto [found, fresh] = open_.try_emplace(id);
  if (fresh) {
    found->second.paths.resize(paths_.size(), path_state::open);
    found->second.steps.resize(learners_.size(), step::none);
  }
  return found->second;
}

std::size_t path_book::path_of(const std::string &name) const {
  const auto found = std::find(paths_.begin(), paths_.end(), name);
  if (found == paths_.end()) throw run_error("ledger: nobody learns from a path \"" + name + "\"");
  return static_cast<std::size_t>(found - paths_.begin());
}

bool path_book::listens(std::size_t path) const {
  return std::any_of(learners_.begin(), learners_.end(),
                     [&](const listener &each) { return each.path == path && !each.retired; });
}

path_book::outcome path_book::keep(const std::string &path, std::uint64_t id) {
  const auto which = path_of(path);
  outcome result;
  if (!listens(which)) return result;
  entry &group = find(id);
  group.paths[which] = path_state::kept;
  result.buffered = !std::exchange(group.booked, true);
  settle(id, result);
  return result;
}

path_book::outcome path_book::drop(const std::string &path, std::uint64_t id) {
  const auto which = path_of(path);
  outcome result;
  if (!listens(which)) return result;
  entry &group = find(id);
  group.paths[which] = path_state::dropped;
  const bool elsewhere = std::count(group.paths.begin(), group.paths.end(), path_state::kept) > 0;
  if (elsewhere) result.buffered = !std::exchange(group.booked, true);
  settle(id, result);
  result.excused = which == learners_.front().path && !result.dropped;
  return result;
}

path_book::outcome path_book::took(const std::string &learner, std::uint64_t id, step taken) {
  outcome result;
  entry &group = find(id);
  for (std::size_t i = 0; i < learners_.size(); ++i)
    if (learners_[i].name == learner) group.steps[i] = taken;
  settle(id, result);
  return result;
}

path_book::outcome path_book::train(const std::string &learner, std::uint64_t id) {
  return took(learner, id, step::trained);
}

path_book::outcome path_book::skip(const std::string &learner, std::uint64_t id) {
  return took(learner, id, step::skipped);
}

path_book::outcomes path_book::retire(const std::string &learner) {
  for (auto &each : learners_) each.retired = each.retired || each.name == learner;
  std::vector<std::uint64_t> ids;
  for (const auto &[id, group] : open_) ids.push_back(id);
  outcomes news;
  for (const auto id : ids) {
    outcome result;
    settle(id, result);
    if (result.trained || result.dropped) news.emplace_back(id, result);
  }
  return news;
}

void path_book::restore(std::uint64_t id, const std::map<std::string, path_state> &paths,
                        const std::set<std::string> &trained, const std::set<std::string> &skipped,
                        bool booked) {
  entry &group = find(id);
  for (const auto &[path, taken] : paths) group.paths[path_of(path)] = taken;
  for (std::size_t i = 0; i < learners_.size(); ++i) {
    const auto &name = learners_[i].name;
    group.steps[i] = trained.contains(name)   ? step::trained
                     : skipped.contains(name) ? step::skipped
                                              : step::none;
  }
  group.booked = booked;
}

void path_book::settle(std::uint64_t id, outcome &result) {
  const entry &group = open_.at(id);
  const auto dropped = [](path_state path) { return path == path_state::dropped; };
  if (std::all_of(group.paths.begin(), group.paths.end(), dropped)) {
    result.dropped = true;
  } else {
    bool trained = false;
    for (std::size_t i = 0; i < learners_.size(); ++i) {
      const bool out = dropped(group.paths[learners_[i].path]);
      if (group.steps[i] == step::none && !learners_[i].retired && !out) return;
      trained = trained || group.steps[i] == step::trained;
    }
    const bool passed = group.steps.front() == step::skipped;
    if (!trained && !passed && !dropped(group.paths[learners_.front().path]))
      return;  // in flight when the run ends
    result.trained = trained;
    result.dropped = !trained;
    result.forfeited = !trained && passed;
  }
  open_.erase(id);
}

void path_book::write_state(state_text &text) const {
  for (const auto &learner : learners_) text << learner.retired;
  for (const auto &[id, group] : open_) {
    text << static_cast<std::int64_t>(id) << group.booked;
    text.all(group.paths).all(group.steps);
  }
  text.end();
}

}  // namespace slipstream

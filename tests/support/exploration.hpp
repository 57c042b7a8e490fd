#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/error.hpp"
#include "runtime/simulation/schedule_model.hpp"

namespace slipstream::test {

/// How often what need not happen may happen.
struct mishaps {
  int rejects = 0;  ///< groups that a scorer drops
  int deaths = 0;   ///< of samplers
  int guards = 0;   ///< batches that change nothing
  int changes = 0;  ///< of the lead or the window, to any value that they may have
};

/// What an exploration found.
struct exploration {
  std::int64_t states = 0, moves = 0, ends = 0;
  std::size_t longest = 0;  ///< moves from the beginning to an end, at most
  std::int64_t oldest = 0, oldest_steps = 0, longest_wait = 0, short_batches = 0;
  std::string fault;  ///< the first state that breaks a rule, and the moves that led there
  std::vector<std::string> moves_to_fault;
};

/// Goes through every order in which the moves of a model can follow each other, depth first; a state that
/// was seen before is not gone on from. In every state the books must close and the promise hold; none may be
/// without a move before the end, or be met again on the way from itself: so from each the end is reached.
class explorer {
 public:
  explorer(const model_setup &setup, const mishaps &limits, std::int64_t most_states = 50'000'000)
      : first_{schedule_model(setup), limits}, most_states_(most_states) {}

  exploration run() {
    found_ = {};
    enter(first_, "the beginning");
    while (!stack_.empty() && found_.fault.empty() && found_.states < most_states_) {
      auto &top = stack_.back();
      if (top.next == top.moves.size()) {
        colours_[top.seen_as] = colour::done;
        stack_.pop_back();
        continue;
      }
      const auto chosen = top.moves[top.next++];
      auto after = top.at;
      ++found_.moves;
      try {
        make(after, chosen);
        enter(std::move(after), chosen.name);
      } catch (const std::exception &problem) {
        fail(std::string(problem.what()) + " after " + chosen.name);
      }
    }
    return found_;
  }

 private:
  struct place {
    schedule_model model;
    mishaps left;
  };
  struct move {
    std::string name;
    std::function<void(place &)> act;
  };
  enum class colour : std::uint8_t { open, done };
  struct key {
    std::size_t one = 0, two = 0;
    bool operator==(const key &other) const { return one == other.one && two == other.two; }
  };
  struct key_hash {
    std::size_t operator()(const key &k) const { return k.one; }
  };
  struct frame {
    place at;
    key seen_as;
    std::string came_by;
    std::vector<move> moves;
    std::size_t next = 0;
  };

  static void make(place &at, const move &chosen) { chosen.act(at); }

  static key key_of(const place &at) {
    auto text = at.model.fingerprint();
    for (const int left : {at.left.rejects, at.left.deaths, at.left.guards, at.left.changes})
      text += std::to_string(left) + ",";
    const auto one = std::hash<std::string>{}(text);
    return {one, std::hash<std::string>{}("2" + text)};
  }

  void fail(const std::string &what) {
    found_.fault = what;
    for (const auto &each : stack_) found_.moves_to_fault.push_back(each.came_by);
  }

  void enter(place at, const std::string &came_by) {
    found_.oldest = std::max(found_.oldest, at.model.oldest());
    found_.oldest_steps = std::max(found_.oldest_steps, at.model.oldest_steps());
    found_.longest_wait = std::max(found_.longest_wait, at.model.longest_wait());
    found_.short_batches = std::max(found_.short_batches, at.model.short_batches());
    const auto bound = at.model.setup().contract.bound;
    if (bound && at.model.oldest() > *bound)
      return fail("the promise is broken: age " + std::to_string(at.model.oldest()) + " after " + came_by);
    at.model.books().totals();
    const auto k = key_of(at);
    const auto [seen, fresh] = colours_.emplace(k, colour::open);
    if (!fresh) {
      if (seen->second == colour::open) fail("a state is met again on the way from itself, after " + came_by);
      return;
    }
    ++found_.states;
    found_.longest = std::max(found_.longest, stack_.size());
    if (at.model.done()) {
      seen->second = colour::done;
      ++found_.ends;
      return check_end(std::move(at), came_by);
    }
    auto open = moves_of(at);
    if (open.empty()) return fail("nothing can move, after " + came_by + ": " + at.model.fingerprint());
    stack_.push_back({std::move(at), k, came_by, std::move(open), 0});
  }

  // At the end each place of each batch was trained on or given up, and no prompt is left unless a batch went
  // without it.
  void check_end(place at, const std::string &came_by) {
    auto &model = at.model;
    read_all_mail(model);
    const auto &totals = model.books().totals();
    if (model.paths().size() > 1) return;  // what one path's learners trained on, another's may not have
    const auto places = model.setup().rules.batch * model.setup().updates;
    if (totals.trained + model.books().forfeited() != places)
      fail("the places of the batches do not add up, after " + came_by);
    if (totals.in_flight() > 0 && model.short_batches() == 0)
      fail("a prompt was left behind, after " + came_by);
  }

  static void read_all_mail(schedule_model &model) {
    for (bool any = true; any;) {
      any = model.mail_for_ledger();
      if (any) model.handle_ledger_mail();
      for (std::size_t path = 0; path < model.paths().size(); ++path)
        for (; model.mail_for_buffer(path); any = true) model.handle_buffer_mail(path);
    }
  }

  std::vector<move> moves_of(const place &at) const {
    std::vector<move> open;
    const auto add = [&](std::string name, std::function<void(place &)> act) {
      open.push_back({std::move(name), std::move(act)});
    };
    const auto &model = at.model;
    if (model.mail_for_ledger()) add("ledger reads", [](place &p) { p.model.handle_ledger_mail(); });
    for (std::size_t path = 0; path < model.paths().size(); ++path)
      if (model.mail_for_buffer(path))
        add("buffer reads", [=](place &p) { p.model.handle_buffer_mail(path); });
    if (model.loader_asked()) add("loader answers", [](place &p) { p.model.loader_answers(); });
    for (const auto sampler : model.able_samplers())
      add("start " + std::to_string(sampler), [=](place &p) { p.model.start(sampler); });
    for (std::size_t i = 0; i < model.samplers().size(); ++i) {
      const auto &sampler = model.samplers()[i];
      for (const auto &[id, begun] : sampler.running)
        add("finish " + std::to_string(id), [i, id = id](place &p) { p.model.finish(i, id); });
      if (!sampler.coming.empty()) add("receive " + std::to_string(i), [=](place &p) { p.model.receive(i); });
      if (at.left.deaths > 0 && !(sampler.running.empty() && sampler.given.empty()))
        add("die " + std::to_string(i), [=](place &p) { p.model.die(i), --p.left.deaths; });
    }
    for (const auto &[which, group] : model.unscored()) {
      const auto name = std::to_string(which.id) + " of " + model.paths()[which.path];
      add("score " + name, [which = which](place &p) { p.model.score(which); });
      if (at.left.rejects > 0)
        add("reject " + name, [which = which](place &p) { p.model.reject(which), --p.left.rejects; });
    }
    for (const auto &[path, version] : model.timers())
      add("patience ends", [path = path](place &p) { p.model.wait_long_enough(path); });
    for (const auto learner : model.training()) add_outcomes(at, learner, add);
    return open;
  }

  template <class Add>
  static void add_outcomes(const place &at, std::size_t learner, const Add &add) {
    const auto &model = at.model;
    add("train " + model.setup().learners[learner].learner,
        [=](place &p) { p.model.train(learner, {false}); });
    if (learner != 0) return;
    if (at.left.guards > 0) add("guard", [=](place &p) { p.model.train(0, {true}), --p.left.guards; });
    if (at.left.changes == 0) return;
    const auto lead = model.learner(0).controller().value("lead"),
               window = model.learner(0).controller().value("window");
    const auto &leads = model.setup().contract.lead, &windows = model.setup().rules.window;
    for (auto l = leads.least; l <= leads.most; ++l)
      for (auto w = windows.least; w <= windows.most; ++w)
        if (l != lead || w != window)
          add("train, lead " + std::to_string(l) + ", window " + std::to_string(w), [=](place &p) {
            p.model.steer("lead", l);
            p.model.steer("window", w);
            p.model.train(0, {false});
            --p.left.changes;
          });
  }

  place first_;
  std::int64_t most_states_;
  exploration found_;
  std::vector<frame> stack_;
  std::unordered_map<key, colour, key_hash> colours_;
};

}  // namespace slipstream::test

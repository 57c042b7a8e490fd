#include "actors/spread.hpp"

#include <caf/all.hpp>

#include <map>
#include <utility>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct spread_replica {
  rollout_sink actor;
  bool ready = false;
  std::map<std::uint64_t, group_ptr> has;
};

struct spread_state {
  static inline const char *name = "spread";
  spread_setup setup;
  std::map<std::int64_t, spread_replica> replicas;
  std::map<std::uint64_t, group_ptr> waiting;  ///< by draw: the oldest goes first
};

using spread_pointer = spread_actor::stateful_pointer<spread_state>;

spread_replica *least_busy(spread_state &state) {
  spread_replica *best = nullptr;
  for (auto &[index, replica] : state.replicas)
    if (replica.ready && (!best || replica.has.size() < best->has.size())) best = &replica;
  return best;
}

void hand_out(spread_pointer self) {
  auto &state = self->state;
  while (!state.waiting.empty()) {
    auto *replica = least_busy(state);
    if (!replica) return;
    const auto next = state.waiting.begin();
    replica->has.insert(*next);
    self->send(replica->actor, next->second);
    state.waiting.erase(next);
  }
}

/// Figures that come twice, from one replica that was thought lost and another, count once.
template <class Result, class Sink>
void pass_on(spread_pointer self, const std::shared_ptr<const Result> &figures,
             const std::vector<Sink> &sinks) {
  for (auto &[index, replica] : self->state.replicas)
    if (replica.has.erase(figures->group->source->id) > 0) {
      for (const auto &sink : sinks) self->send(sink, figures);
      return;
    }
}

spread_actor::behavior_type spread_behavior(spread_pointer self, const spread_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  return {
      [self](const group_ptr &group) {
        self->state.waiting[group->source->id] = group;
        hand_out(self);
      },
      [self](const group_scores_ptr &scores) { pass_on(self, scores, self->state.setup.scores); },
      [self](const group_logprobs_ptr &logprobs) { pass_on(self, logprobs, self->state.setup.logprobs); },
      [self](const group_values_ptr &values) { pass_on(self, values, self->state.setup.values); },
      [self](subscribe_atom, std::int64_t index, const rollout_sink &replica) {
        self->state.replicas[index].actor = replica;
      },
      [self](lost_atom, std::int64_t index) {
        auto &replica = self->state.replicas.at(index);
        replica.ready = false;
        self->state.waiting.merge(std::exchange(replica.has, {}));
        hand_out(self);
      },
      [self](ready_atom, std::int64_t index) {
        self->state.replicas.at(index).ready = true;
        hand_out(self);
      },
  };
}

}  // namespace

spread_actor spawn_spread(caf::actor_system &system, const spread_setup &setup) {
  return system.spawn(spread_behavior, setup);
}

}  // namespace slipstream

#include "actors/router.hpp"

#include <caf/all.hpp>

#include <map>
#include <utility>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct routed_replica {
  rollout_sink actor;
  bool ready = false;
  std::map<std::uint64_t, group_ptr> has;
};

struct router_state {
  static inline const char *name = "router";
  router_setup setup;
  std::map<std::int64_t, routed_replica> replicas;
  std::map<std::uint64_t, group_ptr> waiting;  ///< by draw: the oldest goes first
};

using router_pointer = router_actor::stateful_pointer<router_state>;

routed_replica *least_busy(router_state &state) {
  routed_replica *best = nullptr;
  for (auto &[index, replica] : state.replicas)
    if (replica.ready && (!best || replica.has.size() < best->has.size())) best = &replica;
  return best;
}

void hand_out(router_pointer self) {
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
void pass_on(router_pointer self, const std::shared_ptr<const Result> &figures,
             const std::vector<Sink> &sinks) {
  for (auto &[index, replica] : self->state.replicas)
    if (replica.has.erase(figures->group->source->id) > 0) {
      for (const auto &sink : sinks) self->send(sink, figures);
      return;
    }
}

router_actor::behavior_type router_behavior(router_pointer self, const router_setup &setup) {
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

router_actor spawn_router(caf::actor_system &system, const router_setup &setup) {
  return system.spawn(router_behavior, setup);
}

}  // namespace slipstream

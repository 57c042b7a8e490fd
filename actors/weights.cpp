#include "actors/weights.hpp"

#include <caf/all.hpp>
#include <vector>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct weights_state {
  static inline const char *name = "weights";
  snapshot_ptr newest;
  std::vector<weights_sink> followers;
};

weights_actor::behavior_type weights_behavior(weights_actor::stateful_pointer<weights_state> self,
                                              snapshot_ptr first) {
  fail_with_text(self);
  self->state.newest = std::move(first);
  return {
      [self](snapshot_ptr published) {
        self->state.newest = std::move(published);
        for (const auto &follower : self->state.followers)
          self->send<caf::message_priority::high>(follower, self->state.newest);
      },
      [self](subscribe_atom, const weights_sink &follower) {
        self->state.followers.push_back(follower);
        if (self->state.newest) self->send<caf::message_priority::high>(follower, self->state.newest);
      },
  };
}

}  // namespace

weights_actor spawn_weights(caf::actor_system &system, snapshot_ptr first) {
  return system.spawn(weights_behavior, std::move(first));
}

}  // namespace slipstream

#include "actors/nodes/publisher.hpp"

#include <ATen/core/Tensor.h>
#include <caf/all.hpp>

#include <map>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct publisher_state {
  static inline const char *name = "publisher";
  std::shared_ptr<weight_server> server;
  std::map<std::string, std::int64_t> newest;
};

weights_sink::behavior_type behave(weights_sink::stateful_pointer<publisher_state> self,
                                   const std::shared_ptr<weight_server> &server) {
  fail_with_text(self);
  self->state.server = server;
  return {[self](const snapshot_ptr &published) {
    auto &state = self->state;
    const auto [known, fresh] = state.newest.emplace(published->name, published->version);
    if (!fresh && published->version <= known->second) return;  // published again, as the last one
    known->second = published->version;
    state.server->publish({published->name, published->version,
                           published->model->trainable().to(at::kCPU, at::kFloat).contiguous(),
                           published->last});
  }};
}

}  // namespace

weights_sink spawn_publisher(caf::actor_system &system, const std::shared_ptr<weight_server> &server) {
  return system.spawn(behave, server);
}

}  // namespace slipstream

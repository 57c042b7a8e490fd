#include "actors/nodes/publisher.hpp"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <caf/all.hpp>

#include <map>
#include <nlohmann/json.hpp>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct publisher_state {
  static inline const char *name = "publisher";
  std::shared_ptr<weight_server> server;
  std::map<std::string, std::int64_t> newest;
};

using publisher_pointer = caf::stateful_actor<publisher_state> *;

void publish(publisher_pointer self, const snapshot &next) {
  auto &state = self->state;
  const auto [known, fresh] = state.newest.emplace(next.name, next.version);
  if (!fresh && next.version <= known->second)
    return;  // it is the same version, published again as the last one
  known->second = next.version;
  state.server->publish(
      {next.name, next.version, next.model->trainable().to(at::kCPU, at::kFloat).contiguous(), next.last});
}

std::string account(const nlohmann::json &figures) {
  return fmt::format("weights for nodes: {:.4g} MB over streams, {} versions through shared memory",
                     figures.at("bytes_sent").get<double>() / 1e6, figures.at("shared").get<std::int64_t>());
}

caf::behavior publisher_behavior(publisher_pointer self, const std::shared_ptr<weight_server> &server,
                                 std::int64_t delay_ms, const std::function<void(const std::string &)> &say) {
  fail_with_text(self);
  self->attach_functor([server, say] { say(account(server->figures())); });
  self->state.server = server;
  return {[=](const snapshot_ptr &published) {
            if (delay_ms == 0) return publish(self, *published);
            self->delayed_send(self, std::chrono::milliseconds(delay_ms), check_atom::value, published);
          },
          [=](check_atom, const snapshot_ptr &held_back) { publish(self, *held_back); }};
}

}  // namespace

weights_sink spawn_publisher(caf::actor_system &system, const std::shared_ptr<weight_server> &server,
                             std::int64_t delay_ms, const std::function<void(const std::string &)> &say) {
  const caf::actor made = system.spawn(publisher_behavior, server, delay_ms, say);
  return caf::actor_cast<weights_sink>(caf::actor_cast<caf::strong_actor_ptr>(made));
}

}  // namespace slipstream

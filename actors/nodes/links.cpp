#include "actors/nodes/links.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "actors/failure.hpp"
#include "actors/nodes/caf_links.hpp"

namespace slipstream {

void configure_links(caf::actor_system_config &config, const link_options &options) {
  config.load<caf::io::middleman>();
  config.set("middleman.heartbeat-interval", caf::timespan(std::chrono::milliseconds(options.heartbeat_ms)));
  config.set("middleman.connection-timeout", caf::timespan(std::chrono::milliseconds(options.timeout_ms)));
  load_gate(config, options.security);
}

struct linked_system::parts {
  explicit parts(const std::function<void(caf::actor_system_config &)> &configure)
      : system((configure(config), config)) {}
  caf::actor_system_config config;
  caf::actor_system system;
};

linked_system::linked_system(const std::function<void(caf::actor_system_config &)> &configure)
    : parts_(std::make_shared<parts>(configure)) {}

namespace {

std::atomic<bool> left_behind{false};

/// Lets `last` go on a thread of its own, because that may take for ever. Returns whether it has gone in
/// time.
bool ends_within(std::chrono::seconds limit, std::shared_ptr<void> last) {
  const auto gone = std::make_shared<std::promise<void>>();
  const auto done = gone->get_future();
  const auto kept = new std::shared_ptr<void>(std::move(last));  // not deleted if there is no thread
  std::thread([gone, kept] {
    delete kept;
    gone->set_value();
  }).detach();
  return done.wait_for(limit) == std::future_status::ready;
}

}  // namespace

linked_system::~linked_system() {
  // Blocking actors leave CAF's logger set in their thread, and the actor system would wait for it.
  caf::logger::set_current_actor_system(nullptr);
  try {
    if (!ends_within(std::chrono::seconds(4), std::exchange(parts_, nullptr))) left_behind = true;
  } catch (const std::system_error &) {  // no thread can be started
    left_behind = true;
  }
}

bool linked_system::any_left_behind() {
  return left_behind;
}

caf::actor_system &linked_system::operator*() const {
  return parts_->system;
}

namespace {

caf::actor broker_of(caf::actor_system &system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

using dialed = caf::typed_response_promise<caf::strong_actor_ptr>;

void give_up(caf::event_based_actor *self, dialed answer, const std::string &why) {
  answer.deliver(caf::make_error(caf::sec::cannot_connect_to_node, why));
  self->quit();
}

void hand_over(caf::event_based_actor *self, dialed answer, const endpoint &address) {
  self->request(broker_of(self->system()), dial_step, caf::connect_atom::value,
                connect_link(self->system(), address), address.port)
      .then(
          [self, answer](const caf::node_id &, const caf::strong_actor_ptr &found,
                         const std::set<std::string> &) mutable {
            answer.deliver(found);
            self->quit();
          },
          [self, answer](const caf::error &) {
            give_up(self, answer, "it ends the connection: is it a slipstream of this version?");
          });
}

caf::behavior dial(caf::event_based_actor *self, const endpoint &address) {
  fail_with_text(self);
  return {[=](caf::connect_atom) {
    auto answer = self->make_response_promise<caf::strong_actor_ptr>();
    try {
      hand_over(self, answer, address);
    } catch (const std::exception &problem) {
      give_up(self, answer, problem.what());
    }
    return answer;
  }};
}

}  // namespace

caf::actor dialer(caf::actor_system &system, const endpoint &address) {
  return system.spawn<caf::detached>(dial, address);  // it blocks
}

endpoint open_port(const caf::actor &whom, const endpoint &address) {
  auto doorman = open_links(whom.home_system(), address);
  const endpoint found{address.host, doorman->port()};
  caf::anon_send(broker_of(whom.home_system()), caf::publish_atom::value, std::move(doorman), found.port,
                 caf::actor_cast<caf::strong_actor_ptr>(whom), std::set<std::string>());
  return found;
}

}  // namespace slipstream

#include "actors/nodes/caf_links.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/abstract_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <memory>
#include <string>
#include <utility>

#include "runtime/wire/gate.hpp"

namespace slipstream {
namespace {

using caf::io::network::default_multiplexer;
using caf::io::network::native_socket;

/// Gives an actor system its gate, as the module that CAF keeps free for a network library of the future. The
/// gate belongs to the configuration, which outlives the system, so that the broker's last words get out.
class gate_module : public caf::actor_system::module {
 public:
  explicit gate_module(std::shared_ptr<wire::link_gate> gate) : gate_(std::move(gate)) {}
  void start() override {}
  void stop() override { gate_->close(); }
  void init(caf::actor_system_config &) override {}
  id_t id() const override { return network_manager; }
  void *subtype_ptr() override { return gate_.get(); }

 private:
  std::shared_ptr<wire::link_gate> gate_;
};

wire::link_gate &gate_of(caf::actor_system &system) {
  return reinterpret_cast<wire::link_gate &>(system.network_manager());
}

default_multiplexer &multiplexer_of(caf::actor_system &system) {
  return static_cast<default_multiplexer &>(system.middleman().backend());
}

/// A connection of CAF's whose other end is in this process: it has neither address nor port.
class link_scribe : public caf::io::network::scribe_impl {
 public:
  using scribe_impl::scribe_impl;
  std::string addr() const override { return {}; }
  std::uint16_t port() const override { return 0; }
};

/// CAF's acceptors ask this for the next connection.
struct arrivals {
  static bool try_accept(native_socket &result, native_socket door) {
    result = wire::take_arrival(door);
    return result >= 0;
  }
};

/// A CAF doorman like doorman_impl, whose new connections are the descriptors that a gate hands over.
class gate_doorman : public caf::io::doorman {
 public:
  gate_doorman(default_multiplexer &multiplexer, const wire::link_gate::door &door)
      : doorman(caf::io::network::accept_hdl_from_socket(door.arrivals)),
        acceptor_(multiplexer, door.arrivals),
        port_(door.port) {}
  bool new_connection() override {
    if (detached()) return false;
    auto &multiplexer = acceptor_.backend();
    const auto scribe = caf::make_counted<link_scribe>(multiplexer, acceptor_.accepted_socket());
    const auto handle = scribe->hdl();
    parent()->add_scribe(scribe);
    return doorman::new_connection(&multiplexer, handle);
  }
  void graceful_shutdown() override {
    acceptor_.graceful_shutdown();
    detach(&acceptor_.backend(), false);
  }
  void launch() override { acceptor_.start(this); }
  std::string addr() const override { return {}; }
  std::uint16_t port() const override { return port_; }
  void add_to_loop() override { acceptor_.activate(this); }
  void remove_from_loop() override { acceptor_.passivate(); }

 private:
  caf::io::network::acceptor_impl<arrivals> acceptor_;
  std::uint16_t port_;
};

}  // namespace

void load_gate(caf::actor_system_config &config, const wire_security &security) {
  config.module_factories.push_back([gate = std::make_shared<wire::link_gate>(security)](
                                        caf::actor_system &) { return new gate_module(gate); });
}

caf::io::scribe_ptr connect_link(caf::actor_system &system, const endpoint &address) {
  return caf::make_counted<link_scribe>(multiplexer_of(system), gate_of(system).dial(address, dial_step));
}

caf::io::doorman_ptr open_links(caf::actor_system &system, const endpoint &address) {
  return caf::make_counted<gate_doorman>(multiplexer_of(system), gate_of(system).open(address));
}

}  // namespace slipstream

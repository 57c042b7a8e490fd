#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/scribe.hpp>

#include <chrono>

#include "runtime/wire/endpoint.hpp"

// Connections for CAF's broker. CAF 0.17.6 has means of its own to make them (caf::io::connect,
// caf::openssl), but they cannot cope with bad networks: a connect may block for two minutes, the broker ends
// a connection whose handshakes take longer than a heartbeat, certificates are read anew for each connection,
// and a port that has run out of descriptors throws in CAF's only thread. They cannot cope with strangers
// either: CAF trusts what it reads. So CAF gets descriptors of local sockets, whose other ends a gate has
// (runtime/wire/gate.hpp).
namespace slipstream {

/// Each step of a connect (TCP, TLS, the first word of the other side) may take that long.
inline constexpr std::chrono::seconds dial_step{3};

/// Gives the system of this configuration a gate. Throws input_error where the certificates are unsound.
void load_gate(caf::actor_system_config &config, const wire_security &security);

/// Blocks until there is a connection and the other side has said something: whoever listens speaks first,
/// and CAF's broker ends a connection that has said nothing by the next heartbeat. Throws run_error, whose
/// text says why, when there is no connection.
caf::io::scribe_ptr connect_link(caf::actor_system &system, const endpoint &address);

/// Listens. Throws run_error where the port cannot be had.
caf::io::doorman_ptr open_links(caf::actor_system &system, const endpoint &address);

}  // namespace slipstream

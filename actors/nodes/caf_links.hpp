#pragma once

#include <caf/actor_system.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/scribe.hpp>

#include <chrono>

#include "runtime/wire/endpoint.hpp"

// Connections for CAF's broker. CAF 0.17.6 has means of its own to make them (caf::io::connect,
// caf::openssl), which do not bear bad networks: a connect may block for two minutes, one whose handshakes
// take longer than a heartbeat is ended by the broker, and a failed TLS handshake leaves errors in OpenSSL's
// queue that end the next healthy connection of the process.
namespace slipstream {

/// Each step of a connect (TCP, TLS, the first word of the other side) may take that long.
inline constexpr std::chrono::seconds dial_step{3};

/// Blocks until there is a connection, over TLS with the system's certificates unless `plain`, and until the
/// other side has said something: whoever listens speaks first, and CAF's broker ends a connection that has
/// said nothing by the next heartbeat. Throws run_error when there is none, which says why.
caf::io::scribe_ptr connect_link(caf::actor_system &system, const endpoint &place, bool plain);

/// Listens with TLS; null where the port cannot be had.
caf::io::doorman_ptr open_secured(caf::actor_system &system, const endpoint &place);

}  // namespace slipstream

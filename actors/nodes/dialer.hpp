#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/doorman.hpp>

#include <chrono>

#include "runtime/wire/endpoint.hpp"

// How CAF's links are made. CAF 0.17.6 has means of its own (caf::io::connect, caf::openssl), which do not
// bear bad networks: a connect may block for two minutes, a handshake that takes longer than a heartbeat
// never ends well, and a failed TLS handshake leaves errors with OpenSSL that close the next healthy
// connection of the process.
namespace slipstream {

/// Each step of a connect (TCP, TLS, the first word of the other side, CAF's handshake) may take that long.
inline constexpr std::chrono::seconds dial_step{3};

/// A one-time actor: answers caf::connect_atom with the actor (caf::strong_actor_ptr, null: none) that is
/// published there, or with an error whose text says why there is no link, after four steps at the latest.
caf::actor spawn_dialer(caf::actor_system &system, const endpoint &place, bool plain);

/// Listens with TLS; null where the port cannot be had.
caf::io::doorman_ptr open_secured(caf::actor_system &system, const endpoint &place);

}  // namespace slipstream

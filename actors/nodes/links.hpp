#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/scheduled_actor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/nodes/caf_links.hpp"
#include "runtime/nodes/frames.hpp"
#include "runtime/wire/endpoint.hpp"

// What crosses CAF's links between the processes of a run: these atoms, integers, texts and actor handles.
// All else is in the bytes of a text (runtime/nodes/frames.hpp). No type of ours is ever serialised by CAF.
namespace slipstream {

/// Two processes understand each other if they have the same version.
inline constexpr const char *link_version = "slipstream nodes 3";

using frame_atom = caf::atom_constant<caf::atom("frame")>;  // more to come (0 or 1), piece
using invite_atom =
    caf::atom_constant<caf::atom("invite")>;  // a run to a node that listens: its name, itself
using hello_atom =
    caf::atom_constant<caf::atom("hello")>;  // a node to a run: link_version, name, pid, itself
using refuse_atom = caf::atom_constant<caf::atom("refuse")>;  // a run to a node: why
using place_atom = caf::atom_constant<caf::atom("place")>;  // a run to a node: label, proxy, order in pieces
using leave_atom =
    caf::atom_constant<caf::atom("leave")>;             // a node to a run: it hands its work back and goes
using end_atom = caf::atom_constant<caf::atom("end")>;  // a run to a node: it has ended, and how
using again_atom = caf::atom_constant<caf::atom("again")>;  // a proxy to its run: place it anew
using relay_atom =
    caf::atom_constant<caf::atom("relay")>;  // a node to a run: model, its address for others, machine
using parents_atom =
    caf::atom_constant<caf::atom("parents")>;  // a run to a node: model, addresses, one a line
using hung_atom =
    caf::atom_constant<caf::atom("hung")>;  // a proxy to its run, a run to a node: end the process
using attach_atom = caf::atom_constant<caf::atom("attach")>;
using failed_atom = caf::atom_constant<caf::atom("failed")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;

/// For actors that other processes can send messages to: a message that is none of ours is dropped. When the
/// other side drops one of ours, CAF answers with an error, which ends nobody.
template <class Self>
void drop_unknown(Self *self) {
  self->set_default_handler(caf::drop);
  self->set_error_handler([](caf::error &) {});
}

struct link_options {
  wire_security security;
  std::int64_t heartbeat_ms = 500, timeout_ms = 5000;
};

/// Readies a program's configuration for links, before its actor_system exists. Throws input_error where the
/// certificates are unsound.
void configure_links(caf::actor_system_config &config, const link_options &options);

/// An actor system with links. CAF 0.17.6 never ends a system while a peer that it connected to has not said
/// a word (a stopped process, a port of something else), or while an actor is at work. Such a system is left
/// behind after some seconds, and the process must end by leave_process.
class linked_system {
 public:
  explicit linked_system(const std::function<void(caf::actor_system_config &)> &configure);
  ~linked_system();
  linked_system(const linked_system &) = delete;
  linked_system &operator=(const linked_system &) = delete;
  caf::actor_system &operator*() const;
  /// Whether a system was left behind: its threads go on, so destructors of statics must not run.
  static bool any_left_behind();

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

/// A one-time actor: within `longest_dial` it answers caf::connect_atom with the actor
/// (caf::strong_actor_ptr, null: none) that is published at the address, or with an error whose text says why
/// there is no link.
caf::actor dialer(caf::actor_system &system, const endpoint &address);
inline constexpr std::chrono::seconds longest_dial = 5 * dial_step;

/// Publishes `whom`, and returns the address with the port that was found. Throws run_error when the port
/// cannot be had.
endpoint open_port(const caf::actor &whom, const endpoint &address);

/// Sends a frame, in pieces where it is long.
template <class Self>
void send_frame(Self *self, const caf::actor &to, const node_frame &frame) {
  const auto bytes = encode_frame(frame);
  std::size_t done = 0;
  do {
    auto piece = bytes.substr(done, longest_piece);
    done += piece.size();
    self->send(to, frame_atom::value, static_cast<std::uint8_t>(done < bytes.size()), std::move(piece));
  } while (done < bytes.size());
}

}  // namespace slipstream

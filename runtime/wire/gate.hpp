#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::wire {

/// Connections with other processes, as descriptors for a program that believes what it reads (CAF): each is
/// one end of a pair of local sockets, which nobody else can connect to. Who is at the other end of it has
/// proved who it is (front.hpp), and at most 64 KB a direction wait in between. Has a thread of its own.
class link_gate {
 public:
  /// Throws input_error where the certificates are unsound.
  explicit link_gate(const wire_security &security);
  /// Ends all connections; what is still on its way out has two seconds.
  ~link_gate();
  link_gate(const link_gate &) = delete;
  link_gate &operator=(const link_gate &) = delete;

  struct door {
    std::uint16_t port = 0;
    int arrivals = -1;  ///< a local socket that the connections come through (take_arrival); the caller's
  };
  /// Listens until `arrivals` is closed, or close() is called. Throws run_error where the place cannot be
  /// had, input_error where it must not be.
  door open(const endpoint &place);
  /// Listens no longer.
  void close();

  /// Connects, and blocks until the other side has sent its first bytes; each step may take `step`. The
  /// caller owns the descriptor. Throws run_error with the reason when no connection can be made.
  int dial(const endpoint &place, std::chrono::milliseconds step);

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

/// The next connection of a door; -1: none is there now. The caller's.
int take_arrival(int arrivals);

}  // namespace slipstream::wire

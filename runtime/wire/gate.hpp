#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::wire {

/// Makes connections with other processes, as descriptors for a program that trusts what it reads (CAF). Each
/// descriptor is one end of a pair of local sockets, which nobody else can connect to. The process that it
/// leads to has proved who it is (front.hpp), and at most 64 KB wait in between in each direction. A gate has
/// a thread of its own.
class link_gate {
 public:
  /// Throws input_error where the certificates are unsound.
  explicit link_gate(const wire_security &security);
  /// Ends all connections; bytes that are still on their way out have two seconds to leave.
  ~link_gate();
  link_gate(const link_gate &) = delete;
  link_gate &operator=(const link_gate &) = delete;

  struct door {
    std::uint16_t port = 0;
    int arrivals =
        -1;  ///< a local socket that the connections come through (take_arrival); the caller owns it
  };
  /// Listens until `arrivals` is closed, or close() is called. Throws run_error where the address cannot be
  /// listened at, input_error where it must not be.
  door open(const endpoint &place);
  /// Stops listening.
  void close();

  /// Connects, and blocks until the other side has sent its first bytes; each step may take `step`. The
  /// caller owns the descriptor. Throws run_error with the reason when no connection can be made.
  int dial(const endpoint &place, std::chrono::milliseconds step);

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

/// Returns the next connection of a door, or -1 when none is there now. The caller owns it.
int take_arrival(int arrivals);

}  // namespace slipstream::wire

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/wire/endpoint.hpp"

namespace slipstream {

/// Where a process takes part in tunnels, and what proves who it is.
struct tunnel_options {
  wire_security security;  ///< never plain
  std::string host;        ///< an address of this machine, where connections from others are taken
  std::string name;        ///< the host by which others reach it; empty: the host by which they reach the run
  std::string run_host;    ///< the host of those who have no name
};

/// Leads connections of programs that know no TLS to another process: in plain text on this machine's
/// loopback, and through TLS 1.3 with certificates on both sides between the processes. A tunnel has a thread
/// of its own.
class tls_tunnel {
 public:
  /// Takes connections of other tunnels at a free port of `host`. Throws run_error when there is none.
  tls_tunnel(const wire_security &security, const std::string &host);
  /// Breaks all connections.
  ~tls_tunnel();
  tls_tunnel(const tls_tunnel &) = delete;
  tls_tunnel &operator=(const tls_tunnel &) = delete;

  /// Where other tunnels reach this one.
  std::uint16_t port() const;
  /// Says where connections lead that come in from another tunnel with this number. Until it is called, they
  /// are refused.
  void lead_in(std::uint32_t number, const endpoint &local);
  /// Returns an address of this machine. One connection to it is led to the other tunnel, with this number.
  endpoint way_to(const endpoint &tunnel, std::uint32_t number);
  /// What went wrong last with another tunnel; empty: nothing.
  std::string problem() const;

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

/// The host that others use for a machine that takes connections at `host`: `host` itself, or the machine's
/// name where `host` stands for all addresses.
std::string host_for_others(const std::string &host);

/// The address to listen at to be reached through every network.
inline const std::string any_address = "0.0.0.0";

/// The address by which `place` sees this machine; any_address where there is no route to `place`.
std::string address_towards(const endpoint &place);

}  // namespace slipstream

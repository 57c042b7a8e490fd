#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slipstream {

/// A place to listen at or to connect to. Port 0, where one listens: any free one.
struct endpoint {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 0;
  bool operator==(const endpoint &) const = default;
};

/// "host:port" or "[::1]:port". Throws input_error with one line that begins with `what` (a key or an option)
/// and names the mend.
endpoint parse_endpoint(const std::string &text, const std::string &what);
/// What parse_endpoint() reads.
std::string to_string(const endpoint &place);

/// The files (PEM) that prove who we are and that judge others. All empty: plain text, for loopback addresses
/// only.
struct wire_security {
  std::string certificate;         ///< ours, as `slipstream certs` makes it
  std::string key;                 ///< its private key
  std::string authority;           ///< the certificate that has signed all nodes' certificates
  std::vector<std::string> names;  ///< nodes that may talk to us; empty: all that the authority signed
  bool plain() const { return certificate.empty() && key.empty() && authority.empty(); }
};

/// Finds what would fail later: a missing, unreadable or unsuitable file, a key of another certificate, one
/// that others may read, an authority that has not signed it, a certificate that is out of date. Throws
/// input_error with one line that begins with `what`, names the file and the mend. Plain security is sound
/// here.
void check_security(const wire_security &security, const std::string &what);

/// Refuses what must not be: a place outside of this machine without certificates. Looks the host up. Throws
/// input_error with one line that begins with `what`.
void check_place(const endpoint &place, const wire_security &security, const std::string &what);

}  // namespace slipstream

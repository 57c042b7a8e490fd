#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slipstream {

/// An address to listen at or to connect to. Whoever listens at port 0 gets any free port.
struct endpoint {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 0;
  bool operator==(const endpoint &) const = default;
};

/// "host:port" or "[::1]:port". Throws input_error with one line that begins with `what` (a key or an option)
/// and names the mend.
endpoint parse_endpoint(const std::string &text, const std::string &what);
/// Writes the text that parse_endpoint() reads.
std::string to_string(const endpoint &place);

/// The files (PEM) that prove who we are and by which others are checked. When all are empty, connections are
/// plain text, and only loopback addresses are allowed.
struct wire_security {
  std::string certificate;         ///< ours, as `slipstream certs` makes it
  std::string key;                 ///< its private key
  std::string authority;           ///< the certificate that has signed all nodes' certificates
  std::vector<std::string> names;  ///< nodes that may talk to us; empty: all that the authority signed
  bool plain() const { return certificate.empty() && key.empty() && authority.empty(); }
};

/// Finds what would fail later: a file that is missing, unreadable or unsuitable, a key that belongs to
/// another certificate or that other users may read, a certificate that the authority has not signed or that
/// is out of date. Throws input_error with one line that begins with `what` and names the file and the mend.
/// Plain security has nothing to check.
void check_security(const wire_security &security, const std::string &what);

/// Refuses an address outside of this machine where there are no certificates. Looks the host up. Throws
/// input_error with one line that begins with `what`.
void check_place(const endpoint &place, const wire_security &security, const std::string &what);

}  // namespace slipstream

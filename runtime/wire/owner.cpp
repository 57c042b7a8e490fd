#include "runtime/wire/owner.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

namespace slipstream::wire {

using boost::asio::ip::tcp;
namespace ip = boost::asio::ip;

namespace {

constexpr unsigned established = 1;

/// An address as the table writes it: words of four bytes, each as this machine reads it.
std::optional<ip::address> table_address(const std::string &digits) {
  ip::address_v6::bytes_type bytes{};
  const auto words = digits.size() / 8;
  for (std::size_t i = 0; i < words; ++i) {
    unsigned word = 0;
    if (std::sscanf(digits.substr(i * 8, 8).c_str(), "%8X", &word) != 1) return std::nullopt;
    std::memcpy(bytes.data() + i * 4, &word, 4);
  }
  if (words == 4) return ip::address(ip::address_v6(bytes));
  if (words != 1) return std::nullopt;
  return ip::address(ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]}));
}

/// Returns an IPv4 address that is written in IPv6's form as plain IPv4, and any other address as it is.
ip::address plain(const ip::address &address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

bool is(const std::string &host, unsigned port, const tcp::endpoint &place) {
  if (port != place.port()) return false;
  const auto address = table_address(host);
  return address && plain(*address) == plain(place.address());
}

/// Whether the table has a connection from `theirs` to `ours` whose socket a process of our user has open. A
/// connection without a process has no inode, and its user is 0.
bool listed(const char *table, const tcp::endpoint &theirs, const tcp::endpoint &ours) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    char from[33] = {}, to[33] = {};
    unsigned from_port = 0, to_port = 0, state = 0, user = 0;
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(), " %*d: %32[0-9A-F]:%4X %32[0-9A-F]:%4X %2X %*s %*s %*s %u %*u %lu", from,
                    &from_port, to, &to_port, &state, &user, &inode) != 7)
      continue;
    if (is(from, from_port, theirs) && is(to, to_port, ours))
      return state == established && inode != 0 && user == ::geteuid();
  }
  return false;
}

}  // namespace

bool same_user(const tcp::endpoint &theirs, const tcp::endpoint &ours) {
  return listed("/proc/net/tcp", theirs, ours) || listed("/proc/net/tcp6", theirs, ours);
}

bool same_user(const tcp::socket &socket) {
  boost::system::error_code failed;
  const auto theirs = socket.remote_endpoint(failed);
  if (failed) return false;
  const auto ours = socket.local_endpoint(failed);
  return !failed && same_user(theirs, ours);
}

bool same_local_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace slipstream::wire

#include "runtime/wire/endpoint.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <charconv>
#include <memory>

#include "models/error.hpp"

namespace slipstream {
namespace {

bool loopback(const sockaddr *address) {
  if (address->sa_family == AF_INET) {
    const auto *v4 = reinterpret_cast<const sockaddr_in *>(address);
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  const auto &v6 = reinterpret_cast<const sockaddr_in6 *>(address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

}  // namespace

endpoint parse_endpoint(const std::string &text, const std::string &what) {
  const auto colon = text.rfind(':');
  endpoint place;
  if (colon != std::string::npos) {
    place.host = text.substr(0, colon);
    const bool bracketed = place.host.size() > 2 && place.host.front() == '[' && place.host.back() == ']';
    if (bracketed) place.host = place.host.substr(1, place.host.size() - 2);
    const char *end = text.data() + text.size();
    const auto [stop, wrong] = std::from_chars(text.data() + colon + 1, end, place.port);
    const bool ambiguous = !bracketed && place.host.find(':') != std::string::npos;
    if (wrong == std::errc() && stop == end && !place.host.empty() && !ambiguous) return place;
  }
  throw input_error(what + ": error: \"" + text +
                    "\" is no place: write HOST:PORT, as in 127.0.0.1:7000 or [::1]:7000");
}

std::string to_string(const endpoint &place) {
  const bool v6 = place.host.find(':') != std::string::npos;
  return (v6 ? "[" + place.host + "]" : place.host) + ":" + std::to_string(place.port);
}

void check_place(const endpoint &place, const wire_security &security, const std::string &what) {
  if (!security.plain()) return;
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int problem = ::getaddrinfo(place.host.c_str(), nullptr, &hints, &found); problem != 0)
    throw input_error(what + ": error: the host \"" + place.host +
                      "\" is not known: " + gai_strerror(problem));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const auto *one = found; one; one = one->ai_next)
    if (!loopback(one->ai_addr))
      throw input_error(
          what + ": error: " + to_string(place) +
          " is not on this machine, and without certificates nothing goes further than 127.0.0.1; "
          "make certificates with slipstream certs, or use a loopback address");
}

}  // namespace slipstream

#include "runtime/nodes/relay_tree.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

std::vector<std::vector<endpoint>> relay_parents(const std::vector<relay_place> &places,
                                                 std::int64_t fanout) {
  std::vector<std::vector<endpoint>> parents(places.size());
  std::vector<std::size_t> heads;  // the first of each machine
  std::map<std::string, std::size_t> head_of;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto [head, first] = head_of.emplace(places[i].machine, i);
    auto above = static_cast<std::int64_t>(head->second);
    if (first) {
      const auto parent = relay_parent(static_cast<std::int64_t>(heads.size()), fanout);
      heads.push_back(i);
      above = parent < 0 ? -1 : static_cast<std::int64_t>(heads[static_cast<std::size_t>(parent)]);
    }
    if (above < 0) continue;
    const auto from = static_cast<std::size_t>(above);
    parents[i] = parents[from];
    parents[i].insert(parents[i].begin(), places[from].address);
  }
  return parents;
}

std::string machine_key() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::error_code ignored;
  return boot + " " + std::filesystem::read_symlink("/proc/self/ns/net", ignored).string();
}

std::string address_towards(const endpoint &place) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (::getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &found) != 0) return "";
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const auto *one = found; one; one = one->ai_next) {
    const int probe = ::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) continue;
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char text[NI_MAXHOST] = {};
    // A datagram socket that is connected sends nothing; it only looks up the way.
    const bool known = ::connect(probe, one->ai_addr, one->ai_addrlen) == 0 &&
                       ::getsockname(probe, reinterpret_cast<sockaddr *>(&own), &size) == 0 &&
                       ::getnameinfo(reinterpret_cast<const sockaddr *>(&own), size, text, sizeof text,
                                     nullptr, 0, NI_NUMERICHOST) == 0;
    ::close(probe);
    if (known) return text;
  }
  return "";
}

}  // namespace slipstream

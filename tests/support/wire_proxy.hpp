#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::test {

inline int listening_socket(endpoint &place) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(place.port);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr *>(&address), size) != 0 || ::listen(listener, 16) != 0)
    throw std::runtime_error("no place to listen at");
  ::getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size);
  place = {"127.0.0.1", ntohs(address.sin_port)};
  return listener;
}

inline int connected_socket(const endpoint &place) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(place.port);
  if (::connect(socket, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens at port " + std::to_string(place.port));
  return socket;
}

/// A connection between a client and a server on which things go wrong, at chosen bytes of what the server
/// says.
class wire_proxy {
 public:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  struct plan {
    std::uint64_t cut_after = never;   ///< the connection is closed
    std::uint64_t hold_after = never;  ///< nothing passes until release()
    std::uint64_t flip_at = never;     ///< one bit of this byte is another
  };

  /// The n-th connection follows the n-th plan, later ones none.
  explicit wire_proxy(const endpoint &server, std::vector<plan> plans = {})
      : server_(server), plans_(std::move(plans)), listener_(listening_socket(place_)) {
    accepting_ = std::thread([this] { accept(); });
  }
  ~wire_proxy() {
    stopped_ = true;
    release();
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (auto &pump : pumps_) pump.join();
    ::close(listener_);
  }
  const endpoint &address() const { return place_; }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  /// Waits until a connection is held.
  bool wait_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [this] { return held_; });
  }
  /// What passed on the first connection: from the server, from the client.
  std::pair<std::string, std::string> recorded() {
    const std::lock_guard lock(mutex_);
    return {down_, up_};
  }

 private:
  void accept() {
    for (std::size_t number = 0;; ++number) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      int server = -1;
      try {
        server = connected_socket(server_);
      } catch (const std::exception &) {  // as if there were no proxy
        ::close(client);
        continue;
      }
      const plan chosen = number < plans_.size() ? plans_[number] : plan{};
      pumps_.emplace_back([this, client, server, chosen, first = number == 0] {
        pump(client, server, chosen, first);
        ::close(client);
        ::close(server);
      });
    }
  }

  void pump(int client, int server, plan chosen, bool first) {
    std::vector<char> bytes(1 << 16);
    std::uint64_t passed = 0;
    while (!stopped_) {
      pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(both, 2, 20) < 0) return;
      if (both[0].revents != 0 && !pass(client, server, bytes, bytes.size(), first ? &up_ : nullptr, never))
        return;
      if (both[1].revents == 0) continue;
      const auto room =
          std::min<std::uint64_t>({bytes.size(), chosen.cut_after - passed,
                                   passed < chosen.hold_after ? chosen.hold_after - passed : never});
      const auto got = pass(server, client, bytes, room, first ? &down_ : nullptr, chosen.flip_at - passed);
      if (got == 0) return;
      passed += got;
      if (passed == chosen.cut_after) return;
      if (passed == chosen.hold_after) hold();
    }
  }

  std::uint64_t pass(int from, int to, std::vector<char> &bytes, std::size_t most, std::string *record,
                     std::uint64_t flip) {
    const auto got = ::recv(from, bytes.data(), most, 0);
    if (got <= 0) return 0;
    if (flip < static_cast<std::uint64_t>(got)) bytes[flip] = static_cast<char>(bytes[flip] ^ 4);
    if (record) {
      const std::lock_guard lock(mutex_);
      record->append(bytes.data(), static_cast<std::size_t>(got));
    }
    for (ssize_t sent = 0; sent < got;) {
      const auto part = ::send(to, bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (part <= 0) return 0;
      sent += part;
    }
    return static_cast<std::uint64_t>(got);
  }

  void hold() {
    std::unique_lock lock(mutex_);
    held_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
  }

  endpoint server_, place_{"127.0.0.1", 0};
  std::vector<plan> plans_;
  int listener_;
  std::thread accepting_;
  std::list<std::thread> pumps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false, released_ = false;
  std::atomic<bool> stopped_ = false;
  std::string down_, up_;
};

}  // namespace slipstream::test

#include "tests/bench/nodes/ends.hpp"

#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace slipstream::bench {

using nlohmann::json;

namespace {

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

/// Kilobytes of this process, as the kernel counts them: anonymous and shared memory now, and the most of
/// both at any time.
json memory() {
  std::ifstream file("/proc/self/status");
  json result;
  for (std::string word; file >> word;)
    for (const char *wanted : {"VmHWM:", "RssAnon:", "RssFile:", "RssShmem:"})
      if (word == wanted) {
        std::int64_t kilobytes = 0;
        file >> kilobytes;
        result[std::string(wanted, std::strlen(wanted) - 1)] = kilobytes;
      }
  return result;
}

sockaddr_in address_of(const endpoint &place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, place.host.c_str(), &address.sin_addr);
  address.sin_port = htons(place.port);
  return address;
}

}  // namespace

wire_security arguments::security() const {
  if (files.empty()) return {};
  const std::filesystem::path folder = files;
  return {folder / (name + ".pem"), folder / (name + ".key"), folder / "ca.pem", {}};
}

wire_limits arguments::limits() const {
  wire_limits result;
  result.shared_memory = shared;
  result.transit = half ? wire_type::bfloat16 : wire_type::float32;
  return result;
}

void tell(const std::string &line) {
  std::cout << line << std::endl;
}

std::vector<at::Tensor> two_versions(std::int64_t elements) {
  return {at::rand({elements}), at::rand({elements})};
}

int serve(const arguments &chosen) {
  weight_server server(parse_endpoint(chosen.place, "place"), chosen.security(), chosen.limits());
  const auto values = two_versions(chosen.elements());
  tell(to_string(server.address()));
  std::int64_t version = 0;
  for (std::string word; std::cin >> word;) {
    if (word == "publish")
      server.publish({"policy", version, values[static_cast<std::size_t>(version % 2)]}), ++version;
    if (word == "figures") {
      auto all = server.figures();
      all["cpu_seconds"] = cpu_seconds();
      tell(all.dump());
    }
  }
  return 0;
}

int receive(const arguments &chosen) {
  weight_client_options options;
  options.parents = {parse_endpoint(chosen.place, "place")};
  options.security = chosen.security();
  options.models = {{"policy", chosen.elements()}};
  options.limits = chosen.limits();
  options.spool = chosen.spool;
  if (!chosen.relay.empty())
    options.relay_listen = std::make_shared<const endpoint>(parse_endpoint(chosen.relay, "relay"));
  const auto before = memory();
  at::Tensor in_use;
  const auto take = [&](weight_version next) {
    in_use = chosen.keep ? std::move(next.flat) : at::Tensor();
    if (chosen.touch && in_use.defined())
      in_use.sum();  // every page of it is looked at, and the last one's are gone
    tell("got");
  };
  weight_client client(options, take, [](const std::string &why) { tell("failed " + why); });
  tell(chosen.relay.empty() ? "leaf" : to_string(client.relay_address()));
  for (std::string word; std::cin >> word;)
    if (word == "figures") {
      auto all = client.figures();
      all["before"] = before;
      all["after"] = memory();
      all["cpu_seconds"] = cpu_seconds();
      tell(all.dump());
    }
  return 0;
}

int serve_bare(const arguments &chosen) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = address_of({"127.0.0.1", 0});
  socklen_t size = sizeof address;
  (void)!::bind(listener, reinterpret_cast<sockaddr *>(&address), size);
  (void)!::listen(listener, 1);
  ::getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size);
  tell("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  const int socket = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto values = two_versions(chosen.elements());
  std::size_t version = 0;
  for (std::string word; std::cin >> word;) {
    const auto *at = static_cast<const char *>(values[version++ % 2].data_ptr());
    for (std::int64_t left = chosen.elements() * 4; left > 0;) {
      const auto sent =
          ::send(socket, at, static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 20)), 0);
      if (sent <= 0) return 1;
      at += sent, left -= sent;
    }
  }
  return 0;
}

int receive_bare(const arguments &chosen) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto address = address_of(parse_endpoint(chosen.place, "place"));
  if (::connect(socket, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) return 1;
  tell("leaf");
  // Two buffers in turn, as a receiver whose user holds the last version has them.
  const std::vector<at::Tensor> values{at::zeros({chosen.elements()}), at::zeros({chosen.elements()})};
  for (std::size_t version = 0;; ++version) {
    auto *at = static_cast<char *>(values[version % 2].data_ptr());
    for (std::int64_t left = chosen.elements() * 4; left > 0;) {
      const auto got =
          ::recv(socket, at, static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 20)), MSG_WAITALL);
      if (got <= 0) return 0;
      at += got, left -= got;
    }
    tell("got");
  }
}

}  // namespace slipstream::bench

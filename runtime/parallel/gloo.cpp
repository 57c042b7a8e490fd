// Ranks on the CPU. Where Gloo's headers are not there, no_gloo.cpp is compiled instead.
#ifndef USE_C10D_GLOO  // some LibTorch packages set it, and the header is empty without it
#define USE_C10D_GLOO
#endif
#include <arpa/inet.h>
#include <gloo/context.h>
#include <gloo/transport/tcp/address.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "runtime/journal/bytes.hpp"
#include "runtime/parallel/c10d_group.hpp"
#include "runtime/parallel/shared_store.hpp"
#include "runtime/wire/tunnel.hpp"

namespace slipstream {
namespace {

class breakable_gloo : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;
  void break_connections() { give_up(contexts_); }

  /// When one operation fails, all do: the messages of later ones may stand behind a message whose memory the
  /// failed one no longer has.
  void break_with(c10d::Work &work) const {
    work.getFuture()->addCallback([contexts = contexts_](c10::ivalue::Future &result) {
      if (result.hasError()) give_up(contexts);
    });
  }

 private:
  /// Only the other side notices closed connections: what this side has begun would wait until its patience
  /// ends. But when one operation has waited too long, Gloo fails all of them. So one is made to.
  static void give_up(const std::vector<std::shared_ptr<gloo::Context>> &contexts) {
    char nothing = 0;
    for (const auto &context : contexts) try {
        context->createUnboundBuffer(&nothing, 1)->waitRecv(nullptr, std::chrono::milliseconds(1));
      } catch (const std::exception &) {  // it has waited too long
      }
  }
};

class gloo_ranks : public c10d_group<breakable_gloo> {
 public:
  using c10d_group::c10d_group;
  void leave() override { group()->break_connections(); }

 private:
  void begun(c10d::Work &work) override { group()->break_with(work); }
};

using value = std::vector<std::uint8_t>;
using tcp_address = gloo::transport::tcp::Address;

/// Gloo has no TLS of its own here, so with a tunnel it connects on this machine only. Of two ranks, Gloo
/// lets the one with the greater address call the other. So the addresses of others that a rank reads in the
/// store are replaced by addresses with which the higher rank calls, and calls its own end of a tunnel. Ranks
/// of one process meet without a tunnel.
constexpr const char *own_host = "127.0.0.2", *lower_host = "127.0.0.1", *higher_host = "127.0.0.3";

sockaddr_in to_sockaddr(const endpoint &place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.port);
  ::inet_pton(AF_INET, place.host.c_str(), &address.sin_addr);
  return address;
}

std::size_t address_size() {
  return tcp_address().bytes().size();
}

/// Where the addresses stand in what a rank tells the others, and how many ranks there are, where that is
/// told (else 0).
struct told_addresses {
  std::size_t first, bytes, ranks;
};

/// Gloo of 2023 and later tells a host's name, one address and a number for each rank, and puts a length
/// before each of the first two. Earlier versions tell an address for each other rank. It begins with an
/// address family, which cannot be a length.
told_addresses addresses_in(const value &told) {
  constexpr std::size_t length = sizeof(std::size_t);
  std::size_t name = 0, address = 0;
  if (told.size() >= 2 * length) {
    std::memcpy(&name, told.data(), length);
    if (name <= told.size() - 2 * length) std::memcpy(&address, told.data() + length + name, length);
    const auto first = 2 * length + name;
    if (address == address_size() && told.size() - first >= address)
      return {first, address, (told.size() - first - address) / sizeof(ssize_t)};
  }
  if (told.empty() || told.size() % address_size() != 0)
    throw run_error("Gloo tells addresses in a form that this version does not know");
  return {0, told.size(), 0};
}

/// Returns what a rank tells, with its addresses replaced by `place`.
value at_place(value told, const endpoint &place) {
  const auto wanted = to_sockaddr(place);
  const auto [first, bytes, ranks] = addresses_in(told);
  for (auto at = first; at < first + bytes; at += address_size()) {
    const auto begin = told.begin() + static_cast<std::ptrdiff_t>(at);
    const tcp_address old(std::vector<char>(begin, begin + static_cast<std::ptrdiff_t>(address_size())));
    sockaddr_storage storage{};
    std::memcpy(&storage, &wanted, sizeof(wanted));
    const auto moved = tcp_address(storage, old.getSeq()).bytes();
    std::copy(moved.begin(), moved.end(), begin);
  }
  return told;
}

/// The ports at which a rank waits for the others, in the order of ranks and without its own.
std::vector<std::uint16_t> ports_in(const value &told) {
  std::vector<std::uint16_t> ports;
  const auto [first, bytes, ranks] = addresses_in(told);
  for (auto at = first; at < first + bytes; at += address_size()) {
    const auto begin = told.begin() + static_cast<std::ptrdiff_t>(at);
    sockaddr_in address{};
    std::memcpy(&address,
                &tcp_address(std::vector<char>(begin, begin + static_cast<std::ptrdiff_t>(address_size())))
                     .getSockaddr(),
                sizeof(address));
    ports.push_back(ntohs(address.sin_port));
  }
  if (ranks > 1) ports.resize(ranks - 1, ports.front());  // one for all
  return ports;
}

/// A text that differs between processes, whatever machine they run on.
const std::string &own_process() {
  static const std::string token = [] {
    std::random_device any;
    return fmt::format("{:08x}{:08x}{:08x}", any(), any(), any());
  }();
  return token;
}

class tunnelled_store : public shared_store {
 public:
  tunnelled_store(c10::intrusive_ptr<c10d::Store> inner, std::int64_t rank, const tunnel_options &options)
      : inner_(std::move(inner)), rank_(rank), options_(options), tunnel_(options.security, options.host) {
    byte_writer out;
    for (const auto &text : {own_process(), options.name, std::to_string(tunnel_.port())}) out.text(text);
    const auto way = out.take();
    inner_->set(way_of(rank), value(way.begin(), way.end()));
  }
  std::string problem() const { return tunnel_.problem(); }

  void set(const std::string &key, const value &bytes) override {
    if (rank_in(key) == rank_) {
      std::uint32_t other = 0;
      for (const auto port : ports_in(bytes)) {
        if (other == rank_) ++other;
        tunnel_.lead_in(other++, {own_host, port});
      }
    }
    inner_->set(key, bytes);
  }
  value get(const std::string &key) override {
    auto bytes = inner_->get(key);
    const auto other = rank_in(key);
    return other < 0 || other == rank_ ? bytes : led(other, bytes);
  }
  value compareSet(const std::string &key, const value &expected, const value &wanted) override {
    return inner_->compareSet(key, expected, wanted);
  }
  std::int64_t add(const std::string &key, std::int64_t more) override { return inner_->add(key, more); }
  bool deleteKey(const std::string &key) override { return inner_->deleteKey(key); }
  bool check(const std::vector<std::string> &keys) override { return inner_->check(keys); }
  std::int64_t getNumKeys() override { return inner_->getNumKeys(); }
  void wait(const std::vector<std::string> &keys) override { inner_->wait(keys); }
  void wait(const std::vector<std::string> &keys, const std::chrono::milliseconds &timeout) override {
    inner_->wait(keys, timeout);
  }

 private:
  static std::string way_of(std::int64_t rank) { return "way/" + std::to_string(rank); }
  /// Returns the rank whose addresses stand under a key ("0/2": rank 2's on the first device), or -1 for
  /// other keys.
  static std::int64_t rank_in(const std::string &key) {
    const auto digits = key.substr(key.rfind('/') + 1);
    const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
    return number && digits.size() < 10 && key.rfind("way/", 0) != 0 ? std::stoll(digits) : -1;
  }
  value led(std::int64_t other, const value &bytes) {
    if (!inner_->check({way_of(other)}))  // it is told before the addresses are
      throw run_error(fmt::format("rank {} would be met in plain text", other));
    const auto way = inner_->get(way_of(other));
    const std::string held(way.begin(), way.end());
    byte_reader in(held);
    const auto process = in.text(), name = in.text(), port = in.text();
    if (process == own_process()) return bytes;
    if (other > rank_) return at_place(bytes, {higher_host, 1});
    const auto host = name.empty() ? options_.run_host : name;
    if (host.empty())
      throw run_error(
          "this node does not know by what name to reach the run; name a host in [nodes] weights");
    const auto place = tunnel_.way_to({host, static_cast<std::uint16_t>(std::stoul(port))},
                                      static_cast<std::uint32_t>(rank_));
    return at_place(bytes, {lower_host, place.port});
  }

  c10::intrusive_ptr<c10d::Store> inner_;
  std::int64_t rank_;
  tunnel_options options_;
  tls_tunnel tunnel_;
};

}  // namespace

bool has_gloo() {
  return true;
}

std::shared_ptr<process_group> gloo_group(const meeting_point &where, const process_group_options &options) {
  // a rank that is gone would end this process when Gloo writes to it
  if (const auto before = std::signal(SIGPIPE, SIG_IGN); before != SIG_DFL) std::signal(SIGPIPE, before);
  const auto settings = c10d::ProcessGroupGloo::Options::create(options.patience);
  settings->devices.push_back(
      c10d::ProcessGroupGloo::createDeviceForHostname(options.tunnel ? own_host : "127.0.0.1"));
  settings->threads = 1;  // the ranks of one machine share its cores
  c10::intrusive_ptr<tunnelled_store> tunnelled;
  if (options.tunnel)
    tunnelled = c10::make_intrusive<tunnelled_store>(where.store, options.rank, *options.tunnel);
  const c10::intrusive_ptr<c10d::Store> store =
      tunnelled ? c10::intrusive_ptr<c10d::Store>(tunnelled) : where.store;
  try {
    return std::make_shared<gloo_ranks>(
        c10::make_intrusive<breakable_gloo>(store, static_cast<int>(options.rank),
                                            static_cast<int>(options.size), settings),
        options);
  } catch (const std::exception &problem) {
    const auto further = tunnelled ? tunnelled->problem() : std::string();
    throw rank_lost(fmt::format("rank {} of {} cannot join the others: {}{}", options.rank, options.size,
                                problem.what(), further.empty() ? "" : "; " + further));
  }
}

}  // namespace slipstream

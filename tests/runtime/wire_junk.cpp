#include <ATen/ATen.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <random>

#include "runtime/wire/frames.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

// What a peer may send that is no part of the protocol, or a part at the wrong time.
using namespace slipstream;
using namespace slipstream::test;
using wire::frame_kind;

namespace {

std::string frame(frame_kind kind, std::uint64_t sequence, std::uint64_t argument,
                  const std::string &payload) {
  wire::frame_head head;
  head.length = static_cast<std::uint32_t>(payload.size());
  head.kind = kind, head.sequence = sequence, head.argument = argument;
  const auto bytes = wire::pack(head, wire::checksum(payload.data(), payload.size()));
  return std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size()) + payload;
}

void flip(std::string &bytes, std::size_t at, std::uint64_t bit) {
  bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
}

/// A peer that says what it likes.
class raw_peer {
 public:
  explicit raw_peer(int socket) : socket_(socket) {
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  explicit raw_peer(const endpoint &place) : raw_peer(connected_socket(place)) {}
  ~raw_peer() { ::close(socket_); }
  raw_peer(const raw_peer &) = delete;
  raw_peer &operator=(const raw_peer &) = delete;

  void say(const std::string &bytes) { (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void end() { ::shutdown(socket_, SHUT_WR); }
  /// What comes until the other side closes; nothing when it does not within half a minute.
  std::optional<std::string> rest() {
    std::string all;
    char part[4096];
    for (;;) {
      const auto got = ::recv(socket_, part, sizeof part, 0);
      if (got == 0 || (got < 0 && errno == ECONNRESET)) return all;
      if (got < 0) return std::nullopt;
      all.append(part, static_cast<std::size_t>(got));
    }
  }
  std::string exactly(std::size_t size) {
    std::string all(size, '\0');
    const auto got = ::recv(socket_, all.data(), size, MSG_WAITALL);
    all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return all;
  }

 private:
  int socket_;
};

// What the process may grow by, in megabytes; a sanitizer keeps freed memory for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t growth = 512;
#else
constexpr std::int64_t growth = 32;
#endif

std::int64_t resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) >> 20;
}

wire_limits hasty() {
  auto limits = stream_limits();
  limits.handshake = std::chrono::milliseconds(200);
  limits.silence = std::chrono::milliseconds(400);
  limits.max_connections = 16;
  return limits;
}

/// The server still does its work.
void serves(weight_server &server, std::int64_t version) {
  receiving_end reader(receiving_end::options(server.address()));
  server.publish({"policy", version, weights(1000, version)});
  CHECK(at::equal(reader.wait(version).flat, weights(1000, version)));
}

}  // namespace

TEST_CASE("a head that is damaged anywhere is found") {
  const std::string payload = "policy";
  wire::frame_head head;
  head.length = 6, head.kind = frame_kind::done, head.sequence = 3, head.argument = 17;
  const auto sum = wire::checksum(payload.data(), payload.size());
  const auto good = wire::pack(head, sum);
  CHECK(wire::payload_checksum(wire::unpack(good)) == sum);
  for (std::size_t bit = 0; bit < wire::head_bytes * 8; ++bit) {
    auto bytes = good;
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ 1 << bit % 8);
    bool found = false;
    try {
      found = wire::payload_checksum(wire::unpack(bytes)) != sum;
    } catch (const wire::wire_error &) {
      found = true;
    }
    CHECK(found);
  }
}

TEST_CASE("texts that are cut short or too long are refused") {
  const wire::unique_id nonce = wire::random_id();
  wire::join_text join;
  join.name = "reader";
  join.models = {{"policy", {5, nonce, 7}}, {"critic", {}}};
  const auto good = wire::pack_join(join, nonce);
  CHECK(wire::unpack_join(good, nonce).models.at("policy").version == 7);
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_THROWS_AS(wire::unpack_join(good.substr(0, size), nonce), wire::wire_error);
  CHECK_THROWS_AS(wire::unpack_join(good + "x", nonce), wire::wire_error);
  CHECK_THROWS_AS(wire::unpack_join(good, wire::random_id()), wire::wire_error);
  join.name.assign(300, 'x');
  CHECK_THROWS_AS(wire::unpack_join(wire::pack_join(join, nonce), nonce), wire::wire_error);
  CHECK_THROWS_AS(wire::unpack_offer(""), wire::wire_error);
  CHECK_THROWS_AS(wire::unpack_want("\xff\xff"), wire::wire_error);
}

TEST_CASE("junk ends its own connection only, and costs no memory") {
  weight_server server(anywhere, {}, hasty());
  serves(server, 1);
  const auto before = resident_megabytes();
  std::mt19937_64 random(7);
  const auto nonce = wire::random_id();
  const auto hello = frame(frame_kind::hello, 0, 0, wire::pack_hello(nonce));
  for (int round = 0; round < 300; ++round) {
    std::string junk(1 + random() % 3000, '\0');
    for (char &byte : junk) byte = static_cast<char>(random());
    if (round % 3 == 1) junk = hello + junk;
    if (round % 3 == 2) {  // a hello with one bit wrong, or cut off
      junk = hello;
      flip(junk, random() % junk.size(), random() % 8);
    }
    raw_peer peer(server.address());
    peer.say(junk);
    REQUIRE(peer.rest().has_value());
  }
  CHECK(eventually([&] { return server.figures()["refused"] >= 300; }));
  CHECK(resident_megabytes() - before < growth);
  CHECK(eventually([&] { return server.figures()["connections"] == 0; }));
  serves(server, 2);
}

TEST_CASE("oversized lengths are refused before anything is allocated") {
  weight_server server(anywhere, {}, hasty());
  const auto before = resident_megabytes();
  for (const auto kind : {frame_kind::hello, frame_kind::join, frame_kind::want, frame_kind::chunk}) {
    wire::frame_head head;
    head.length = 0xffffffff, head.kind = kind;
    const auto bytes = wire::pack(head, 0);
    raw_peer peer(server.address());
    peer.say({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    REQUIRE(peer.rest().has_value());
  }
  CHECK(resident_megabytes() - before < growth);
  serves(server, 1);
}

TEST_CASE("another format is refused with a text that says so") {
  weight_server server(anywhere, {}, hasty());
  auto greeting = wire::pack_hello(wire::random_id());
  greeting[8] = 2;
  raw_peer peer(server.address());
  peer.say(frame(frame_kind::hello, 0, 0, greeting));
  CHECK_THAT(peer.rest().value(), Contains("speaks format 2 of weight streams, this one 1"));
  serves(server, 1);
}

TEST_CASE("connections that say nothing are let go, and do not keep others out for long") {
  weight_server server(anywhere, {}, hasty());
  std::vector<std::unique_ptr<raw_peer>> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(std::make_unique<raw_peer>(server.address()));
  CHECK(server.figures()["connections"] <= 16);
  for (const auto &peer : silent) CHECK(peer->rest().has_value());
  serves(server, 1);
}

TEST_CASE("a client's bytes, said again, are refused: the nonce is of another connection") {
  weight_server server(anywhere, {}, hasty());
  wire_proxy proxy(server.address());
  {
    receiving_end reader(receiving_end::options(proxy.address()));
    server.publish({"policy", 1, weights(1000, 1)});
    REQUIRE(reader.wait(1).flat.defined());
  }
  const auto sent = server.figures()["bytes_sent"];
  raw_peer peer(server.address());
  peer.say(proxy.recorded().second);
  REQUIRE(peer.rest().has_value());
  CHECK(server.figures()["bytes_sent"] == sent);
}

TEST_CASE("a reader that breaks the rules after it has joined is let go") {
  weight_server server(anywhere, {}, hasty());
  server.publish({"policy", 1, weights(1000, 1)});
  const auto nonce = wire::random_id();
  const auto wrong = [](const wire::unique_id &) -> std::vector<std::string> {
    return {frame(frame_kind::want, 2, 99, wire::pack_want({})),
            frame(frame_kind::want, 2, 1, wire::pack_want({-1, {1, 2, 3, 4, 5}})),
            frame(frame_kind::release, 2, 0, ""),
            frame(frame_kind::chunk, 2, 0, "abcd"),
            frame(frame_kind::ping, 5, 0, ""),
            frame(frame_kind::join, 2, 0, "")};
  };
  for (std::size_t i = 0; i < wrong({}).size(); ++i) {
    const auto before = server.figures()["refused"].get<int>();
    raw_peer peer(server.address());
    peer.say(frame(frame_kind::hello, 0, 0, wire::pack_hello(nonce)));
    const auto head = peer.exactly(wire::head_bytes);
    REQUIRE(head.size() == wire::head_bytes);
    wire::head_buffer bytes;
    std::memcpy(bytes.data(), head.data(), bytes.size());
    const auto welcome = wire::unpack_welcome(peer.exactly(wire::unpack(bytes).length), nonce);
    wire::join_text join;
    join.models = {{"policy", {}}};
    peer.say(frame(frame_kind::join, 1, 0, wire::pack_join(join, welcome.nonce)));
    peer.exactly(wire::head_bytes);  // the offer comes: we are in
    peer.say(wrong(welcome.nonce)[i]);
    CHECK(peer.rest().has_value());
    CHECK(eventually([&] { return server.figures()["refused"] == before + 1; }));  // not for its silence
  }
  serves(server, 2);
}

TEST_CASE("whatever a server says, a client shows whole weights or none") {
  std::string session;
  const auto sent = weights(40'000, 1);
  {
    weight_server server(anywhere, {}, stream_limits());
    wire_proxy proxy(server.address());
    receiving_end reader(receiving_end::options(proxy.address()));
    server.publish({"policy", 1, sent});
    REQUIRE(reader.wait(1).flat.defined());
    session = proxy.recorded().first;
  }
  // The recorded session, with the nonce that the client has chosen now and then one wrong byte, as a whole
  // or cut short: what follows the welcome is then as a server might have sent it.
  endpoint place = anywhere;
  const int listener = listening_socket(place);
  std::mt19937_64 random(3);
  const auto before = resident_megabytes();
  for (int round = 0; round < 120; ++round) {
    auto options = receiving_end::options(place);
    options.limits.first_retry = std::chrono::seconds(30);  // one connection a client
    options.limits.silence = std::chrono::milliseconds(300);
    receiving_end reader(options);
    raw_peer client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    const auto hello = client.exactly(wire::head_bytes + 28);
    wire::unique_id nonce;
    std::memcpy(nonce.data(), hello.data() + wire::head_bytes + 12, nonce.size());
    wire::welcome_text welcome;
    welcome.nonce = wire::random_id();
    std::string answer = session;
    wire::head_buffer head;
    std::memcpy(head.data(), answer.data(), head.size());
    const auto first = wire::head_bytes + wire::unpack(head).length;
    const auto rest = answer.size() - first;
    const bool honest = round % 10 == 0;
    if (!honest && round % 3 == 0)
      answer.resize(first + random() % rest);
    else if (!honest)
      flip(answer, first + random() % (round % 3 == 1 ? std::min<std::size_t>(rest, 100) : rest),
           random() % 8);
    client.say(frame(frame_kind::welcome, 0, 0, wire::pack_welcome(welcome, nonce)) + answer.substr(first));
    if (honest) CHECK(at::equal(reader.wait(1).flat, sent));
    client.end();
    CHECK(client.rest().has_value());  // it has seen all, and left
    for (const auto &got : reader.all()) CHECK((got.version == 1 && at::equal(got.flat, sent)));
    CHECK(reader.versions().size() == (honest ? 1 : 0));
  }
  ::close(listener);
  CHECK(resident_megabytes() - before < growth);
}

// Connections between processes as descriptors of local sockets.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <thread>

#include "models/error.hpp"
#include "runtime/wire/certificates.hpp"
#include "runtime/wire/gate.hpp"
#include "runtime/wire/pump.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;
using namespace std::chrono_literals;
using wire::link_gate;
namespace asio = boost::asio;
using local_socket = asio::local::stream_protocol::socket;

namespace {

/// One end of a connection; what it reads comes within half a minute.
class link_end {
 public:
  explicit link_end(int descriptor) : descriptor_(descriptor) {
    const timeval patience{30, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int flags = ::fcntl(descriptor, F_GETFL);
    ::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
  }
  ~link_end() { close(); }
  link_end(const link_end &) = delete;
  link_end &operator=(const link_end &) = delete;
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  void say(const std::string &bytes) const {
    REQUIRE(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  std::string hear(std::size_t size) const {
    std::string bytes(size, '\0');
    const auto got = ::recv(descriptor_, bytes.data(), size, MSG_WAITALL);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  bool ended() const {
    char byte;
    return ::recv(descriptor_, &byte, 1, 0) == 0;
  }
  /// Writes until nothing more is taken; answers with how much was.
  std::size_t fill() const {
    const std::string bytes(1 << 14, 'x');
    std::size_t all = 0;
    for (int waits = 0; waits < 50;) {
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        all += static_cast<std::size_t>(sent);
        waits = 0;
      } else {
        ++waits;
        std::this_thread::sleep_for(2ms);
      }
    }
    return all;
  }

 private:
  int descriptor_;
};

int arrival_of(const link_gate::door &door) {
  int found = -1;
  CHECK(eventually([&] { return (found = wire::take_arrival(door.arrivals)) >= 0; }));
  return found;
}

/// A connection through two gates, whose listening side has spoken.
void talk(link_gate &listening, link_gate &calling) {
  const auto door = listening.open(anywhere);
  std::unique_ptr<link_end> there;
  std::thread server([&] {
    there = std::make_unique<link_end>(arrival_of(door));
    there->say("who calls?");
  });
  const link_end here(calling.dial({"127.0.0.1", door.port}, 20s));
  server.join();
  CHECK(here.hear(10) == "who calls?");
  const std::string long_text(300'000, 'y');
  std::thread writer([&] { here.say(long_text); });
  CHECK(there->hear(long_text.size()) == long_text);
  writer.join();
  there->say("the last words");
  there->close();
  CHECK(here.hear(14) == "the last words");
  CHECK(here.ended());
  ::close(door.arrivals);
}

std::string refusal(link_gate &calling, std::uint16_t port, std::chrono::milliseconds step = 20s) {
  try {
    ::close(calling.dial({"127.0.0.1", port}, step));
    return "";
  } catch (const run_error &problem) {
    return problem.what();
  }
}

}  // namespace

TEST_CASE("links lead both ways, in plain text and through TLS, to the last byte") {
  link_gate one({}), other({});
  talk(one, other);
  const scratch folder;
  make_certificates(folder.path(), {"run", "a"});
  const auto of = [&](const char *name) {
    return wire_security{
        folder / (std::string(name) + ".pem"), folder / (std::string(name) + ".key"), folder / "ca.pem", {}};
  };
  link_gate run(of("run")), a(of("a"));
  talk(run, a);
}

TEST_CASE("whoever calls is told why there is no link") {
  const scratch folder, other;
  make_certificates(folder.path(), {"run"});
  make_certificates(other.path(), {"a"});
  link_gate run({folder / "run.pem", folder / "run.key", folder / "ca.pem", {}});
  link_gate stranger({other / "a.pem", other / "a.key", other / "ca.pem", {}});
  link_gate plain({});
  const auto door = run.open(anywhere);
  CHECK_THAT(refusal(stranger, door.port), Contains("one authority, in date"));
  CHECK_THAT(refusal(plain, door.port), Contains("ends the connection"));
  CHECK(wire::take_arrival(door.arrivals) == -1);
  endpoint silent = anywhere;
  const int listener = listening_socket(silent);
  CHECK_THAT(refusal(plain, silent.port, 50ms), Contains("it says nothing: Connection timed out"));
  CHECK_THAT(refusal(run, silent.port, 50ms), Contains("Connection timed out"));
  ::close(listener);
  CHECK_THAT(refusal(plain, silent.port), Contains("Connection refused"));
  CHECK_THROWS_WITH(run.open({"127.0.0.1", door.port}), Contains("no port can be opened here for nodes"));
  CHECK_THROWS_WITH(plain.open({"0.0.0.0", 0}), Contains("slipstream certs"));
  ::close(door.arrivals);
}

TEST_CASE("a pump holds so much and no more of what nobody reads, and loses none of it") {
  asio::io_context io;
  int left[2], right[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, left) == 0);
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, right) == 0);
  const int small = 1 << 14;
  for (const int end : {left[0], left[1], right[0], right[1]})
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  const auto pump = wire::join_streams(local_socket(io, asio::local::stream_protocol(), left[1]),
                                       local_socket(io, asio::local::stream_protocol(), right[1]));
  std::thread thread([&] { io.run(); });
  {
    link_end writer(left[0]), reader(right[0]);
    const auto taken = writer.fill();
    CHECK(taken > static_cast<std::size_t>(small));
    CHECK(taken <= wire::pump_bytes + 4 * static_cast<std::size_t>(small) + 2 * (1 << 14));
    writer.close();
    CHECK(reader.hear(taken) == std::string(taken, 'x'));
    CHECK(reader.ended());
  }
  thread.join();  // with both ends the pump has ended
  CHECK(pump.expired());
}

TEST_CASE("a pump whose reader hangs ends with its writer") {
  asio::io_context io;
  int left[2], right[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, left) == 0);
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, right) == 0);
  wire::join_streams(local_socket(io, asio::local::stream_protocol(), left[1]),
                     local_socket(io, asio::local::stream_protocol(), right[1]));
  std::thread thread([&] { io.run(); });
  {
    const link_end writer(left[0]);
    writer.fill();
  }
  thread.join();
  ::close(right[0]);
}

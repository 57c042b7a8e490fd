// The one door of a process: who is let in, who has to go, and what it costs.
#include <dirent.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "runtime/wire/certificates.hpp"
#include "runtime/wire/strangers.hpp"
#include "tests/support/open_front.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/wire_ends.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;
using namespace std::chrono_literals;
namespace {

/// A client's first record, but for its end.
const std::string half_hello = std::string("\x16\x03\x01\x01\x00", 5) + std::string(100, 'x');

/// The whole of it.
std::string whole_hello() {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *client = SSL_new(context);
  SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_connect(client);
  std::string hello(4096, '\0');
  hello.resize(static_cast<std::size_t>(BIO_read(SSL_get_wbio(client), hello.data(), 4096)));
  SSL_free(client);
  SSL_CTX_free(context);
  return hello;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR *folder = ::opendir("/proc/self/fd");
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count - 3;  // . and .. and the folder's own
}

/// This process may have only so many descriptors for a while.
class few_descriptors {
 public:
  explicit few_descriptors(std::size_t most) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = most;
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("strangers: so many turns a second, to addresses in turn") {
  const auto one = asio::ip::make_address("10.0.0.1"), other = asio::ip::make_address("10.0.0.2");
  wire::strangers::time now{};
  wire::strangers all(100, 10);
  for (std::uint64_t i = 1; i <= 20; ++i) CHECK(!all.come(i, i == 20 ? other : one));
  CHECK(!all.next(now));  // nobody has said anything
  for (std::uint64_t i = 1; i <= 20; ++i) all.wait(i);
  CHECK(all.next(now) == 1u);
  CHECK(all.next(now) == 20u);  // the other address, before the rest of the first
  CHECK(!all.next(now));
  REQUIRE(all.next_turn());
  CHECK(*all.next_turn() == now + 100ms);
  now += 100ms;
  CHECK(all.next(now) == 2u);
  CHECK(!all.next(now));
  now += 1h;  // turns are not saved up
  int given = 0;
  while (all.next(now)) ++given;
  CHECK(given == 2);
  all.leave(1);
  CHECK(all.size() == 19);
}

TEST_CASE("strangers: who has to go is who came least far, of the address that most have") {
  const auto crowd = asio::ip::make_address("10.0.0.1"), single = asio::ip::make_address("10.0.0.2");
  wire::strangers all(4, 50);
  CHECK(!all.come(1, single));
  CHECK(!all.come(2, crowd));
  CHECK(!all.come(3, crowd));
  CHECK(!all.come(4, crowd));
  CHECK(all.come(5, single) == 2u);  // of the crowd, the oldest
  all.leave(2);
  all.wait(3), all.wait(4);
  CHECK(all.come(6, crowd) == 1u);  // the others have said something, and 1 is the oldest of the silent
  all.leave(1);
  CHECK(all.come(7, single) == 6u);
  all.leave(6);
  CHECK(all.worst() == 5u);
  CHECK(all.worst(5) == 7u);
  wire::strangers six(4, 50);
  for (std::uint64_t i = 1; i <= 4; ++i)  // addresses of one machine
    CHECK(!six.come(i, asio::ip::make_address(i < 4 ? "2001:db8::" + std::to_string(i) : "2001:db8:0:1::1")));
  CHECK(six.come(5, asio::ip::make_address("2001:db8:0:2::1")) == 1u);
}

TEST_CASE("a front lets in who has a certificate of its authority, among those who have none") {
  const scratch folder, other;
  make_certificates(folder.path(), {"learner", "a"});
  make_certificates(other.path(), {"a"});
  wire::front_options options;
  options.identity = identity_in(folder.path(), "learner");
  options.first_words = "hello\n";
  open_front front(std::move(options));
  CHECK(knock(front.place(), identity_in(folder.path(), "a"), "hello\n") == "welcome");
  CHECK_THAT(knock(front.place(), identity_in(other.path(), "a"), "hello\n"), Contains("one authority"));
  CHECK_THAT(knock(front.place(), identity_in(folder.path(), "a"), "other\n"),
             Contains("ends the connection"));
  CHECK(talker(front.place(), "GET / HTTP/1.1\r\n\r\n").closed());
  CHECK(talker(front.place(), std::string("\x16\x03\x01\xff\xff", 5)).closed());
  CHECK(talker(front.place(), std::string("\x16\x03\x01\x00\x05helloxxxxxxxxxxx", 21)).closed());
  CHECK(front.taken == 1);
  CHECK(eventually([&] { return front.refusals().size() == 5; }));
}

TEST_CASE("who says half of a greeting, or nothing, is left after a while") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  wire::front_options options;
  options.identity = identity_in(folder.path(), "learner");
  options.handshake = 300ms;
  open_front front(std::move(options));
  const talker half(front.place(), half_hello), none(front.place(), "");
  CHECK(half.closed());
  CHECK(none.closed());
  CHECK(front.refusals().front() == "it took too long to say who it is");
}

TEST_CASE("there are only so many strangers at once; those who know each other get in between them") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  wire::front_options options;
  options.identity = identity_in(folder.path(), "learner");
  options.strangers = 16;
  options.handshake = 60s;
  open_front front(std::move(options));
  std::vector<std::unique_ptr<talker>> crowd;
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) crowd.push_back(std::make_unique<talker>(front.place(), half_hello));
  CHECK(eventually([&] { return front.refusals().size() == 184; }));
  CHECK(crowd.front()->closed());
  CHECK(crowd.back()->open());
  CHECK(open_descriptors() == before + 200 + 16);
  CHECK(knock(front.place(), identity_in(folder.path(), "a")) == "welcome");
}

TEST_CASE("a stranger in the middle of a handshake costs less than 64 KB") {
  const scratch folder;
  make_certificates(folder.path(), {"learner"});
  wire::front_options options;
  options.identity = identity_in(folder.path(), "learner");
  options.handshake = 60s;
  options.handshakes = 1e6;
  open_front front(std::move(options));
  const auto hello = whole_hello();
  std::vector<std::unique_ptr<talker>> crowd;
  const auto one_more = [&] {
    crowd.push_back(std::make_unique<talker>(front.place(), hello));
    CHECK(crowd.back()->hears());
  };
  one_more();
  const auto before = ::mallinfo2().uordblks;
  for (int i = 0; i < 50; ++i) one_more();
  const auto each = (::mallinfo2().uordblks - before) / 50;
  CAPTURE(each);
  CHECK(each < 64 << 10);
}

TEST_CASE("a front that ran out of descriptors takes connections again") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  wire::front_options options;
  options.identity = identity_in(folder.path(), "learner");
  options.handshake = 60s;
  open_front front(std::move(options));
  const auto client = identity_in(folder.path(), "a");
  std::vector<std::unique_ptr<talker>> crowd;
  const auto before = open_descriptors();
  for (int i = 0; i < 8; ++i) crowd.push_back(std::make_unique<talker>(front.place(), half_hello));
  REQUIRE(eventually([&] { return open_descriptors() == before + 16; }));
  const int reserve = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  {
    const few_descriptors limit(reserve);  // all below it are taken
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(front.place().port);
    REQUIRE(::connect(reserve, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
    REQUIRE(::send(reserve, half_hello.data(), half_hello.size(), MSG_NOSIGNAL) > 0);
    CHECK(eventually([&] {
      const auto all = front.refusals();
      return std::find(all.begin(), all.end(), "out of descriptors") != all.end();
    }));
  }
  CHECK(knock(front.place(), client) == "welcome");
  ::close(reserve);
}

TEST_CASE("without certificates a front lets in the processes of one user") {
  wire::front_options options;
  options.first_words = "hello\n";
  open_front front(options);
  CHECK(knock(front.place(), nullptr, "hello\n") == "welcome");
  CHECK(talker(front.place(), "GET / HTTP/1.1\r\n\r\n").closed());
  CHECK(front.taken == 1);
  if (::geteuid() != 0) return;  // only root can be somebody else for a while
  std::string said;
  std::thread([&] {
    REQUIRE(::syscall(SYS_setresuid, 65534, 65534, 65534) == 0);  // of this thread alone
    const talker stranger(front.place(), "hello\n");
    CHECK(stranger.closed());
  }).join();
  CHECK(eventually([&] { return front.refusals().back().find("another user") != std::string::npos; }));
  CHECK(front.taken == 1);
}

TEST_CASE("without certificates a front listens on this machine only") {
  asio::io_context io;
  wire::front_options options;
  options.listen = {"0.0.0.0", 0};
  CHECK_THROWS_WITH(wire::front(io, options, [](wire::known_stream) {}), Contains("slipstream certs"));
}

TEST_CASE("certificates that change are taken over when they are sound, and else those before stay") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  const auto learner = files_of(folder.path(), "learner");
  wire::tls_identity identity(learner, "test", 0ms);
  const auto first = identity.context();
  CHECK(identity.context() == first);
  const auto certificate = read_text(learner.certificate), key = read_text(learner.key);

  folder.write("learner.pem", "half a certifi");  // somebody is copying it
  CHECK(identity.context() == first);
  std::filesystem::remove(learner.certificate);
  CHECK(identity.context() == first);
  folder.write("learner.pem", read_text(folder / "a.pem"));  // its key has not come yet
  CHECK(identity.context() == first);
  folder.write("learner.key", read_text(folder / "a.key"));
  const auto second = identity.context();
  CHECK(second != first);
  ::chmod(learner.key.c_str(), 0644);
  CHECK(identity.context() == second);
  folder.write("learner.pem", certificate);
  folder.write("learner.key", key);
  ::chmod(learner.key.c_str(), 0600);
  CHECK(identity.context() != second);
}

TEST_CASE("a process reads its certificates once, for all its ports") {
  const scratch folder;
  make_certificates(folder.path(), {"learner"});
  const auto one = identity_in(folder.path(), "learner");
  std::filesystem::remove(folder / "learner.pem");
  CHECK(identity_in(folder.path(), "learner") == one);
  CHECK(one->context() != nullptr);
  CHECK(wire::identity_of({}, "test") == nullptr);
}

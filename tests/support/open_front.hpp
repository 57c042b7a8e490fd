#pragma once

#include <sys/socket.h>
#include <unistd.h>
#include <filesystem>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "models/error.hpp"
#include "runtime/wire/dial.hpp"
#include "runtime/wire/front.hpp"
#include "tests/support/wire_proxy.hpp"

namespace slipstream::test {

namespace asio = boost::asio;

inline wire_security files_of(const std::filesystem::path &folder, const std::string &name) {
  return {folder / (name + ".pem"), folder / (name + ".key"), folder / "ca.pem", {}};
}

inline std::shared_ptr<wire::tls_identity> identity_in(const std::filesystem::path &folder,
                                                       const std::string &name) {
  return wire::identity_of(files_of(folder, name), "test");
}

/// A front that greets whom it lets in, with a thread.
class open_front {
 public:
  explicit open_front(wire::front_options options) : work_(asio::make_work_guard(io_)) {
    options.listen = {"127.0.0.1", 0};
    front_ = std::make_unique<wire::front>(
        io_, std::move(options),
        [this](wire::known_stream stream) {
          ++taken;
          std::visit([](auto &one) { greet(one); }, stream);
          streams_.push_back(std::move(stream));
        },
        [this](const std::string &why) {
          const std::lock_guard lock(mutex_);
          refusals_.push_back(why);
        });
    thread_ = std::thread([this] { io_.run(); });
  }
  ~open_front() {
    io_.stop();
    thread_.join();
  }
  endpoint place() const { return {"127.0.0.1", front_->port()}; }
  std::vector<std::string> refusals() {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }
  std::atomic<int> taken = 0;

 private:
  static void greet(asio::ip::tcp::socket &socket) { asio::write(socket, asio::buffer("welcome", 7)); }
  static void greet(std::unique_ptr<asio::ssl::stream<asio::ip::tcp::socket>> &stream) {
    asio::write(*stream, asio::buffer("welcome", 7));
  }
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::unique_ptr<wire::front> front_;
  std::vector<wire::known_stream> streams_;
  std::mutex mutex_;
  std::vector<std::string> refusals_;
  std::thread thread_;
};

/// What the front says to us; "error: …" where it does not let us in.
inline std::string knock(const endpoint &place, std::shared_ptr<wire::tls_identity> identity,
                         const std::string &words = "") {
  asio::io_context io;
  const auto work = [&]() -> asio::awaitable<std::string> {
    auto got = co_await wire::dial(io, place, std::move(identity), words, std::chrono::seconds(20));
    co_return got.said;
  };
  auto said = asio::co_spawn(io, work(), asio::use_future);
  io.run();
  try {
    return said.get();
  } catch (const run_error &problem) {
    return std::string("error: ") + problem.what();
  }
}

/// A peer that says these bytes, and then waits.
class talker {
 public:
  explicit talker(const endpoint &place, const std::string &bytes) : socket_(connected_socket(place)) {
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  ~talker() { ::close(socket_); }
  talker(const talker &) = delete;
  talker &operator=(const talker &) = delete;
  /// Waits until the other side closes.
  bool closed() const {
    char bytes[256];  // it may say why
    ssize_t got;
    do {
      got = ::recv(socket_, bytes, sizeof bytes, 0);
    } while (got > 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  /// Waits until the other side says something.
  bool hears() const {
    char byte;
    return ::recv(socket_, &byte, 1, 0) == 1;
  }
  bool open() const {
    char byte;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
  }

 private:
  int socket_;
};

}  // namespace slipstream::test

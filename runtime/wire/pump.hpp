#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace slipstream::wire {

/// How many bytes may wait between the two ends of a pump, in each direction.
inline constexpr std::size_t pump_bytes = std::size_t{1} << 16;
/// When one end closes, bytes that are on their way have this long to reach the other end.
inline constexpr std::chrono::seconds pump_linger{2};

/// Copies the bytes of each of two streams into the other one, until one of them has ended. It keeps itself
/// and `kept` alive. `A` and `B`: a socket, or a pointer to a TLS stream. All of it belongs to one thread.
template <class A, class B>
class pump : public std::enable_shared_from_this<pump<A, B>> {
 public:
  pump(A a, B b, std::size_t bytes = pump_bytes, std::shared_ptr<void> kept = nullptr)
      : a_(std::move(a)),
        b_(std::move(b)),
        bytes_(bytes),
        kept_(std::move(kept)),
        timer_(socket(a_).get_executor()) {}

  void start() {
    const auto self = this->shared_from_this();
    const auto run = [&](auto work) {
      boost::asio::co_spawn(timer_.get_executor(), std::move(work), boost::asio::detached);
    };
    run([self] { return self->flow(stream(self->a_), stream(self->b_), socket(self->b_)); });
    run([self] { return self->flow(stream(self->b_), stream(self->a_), socket(self->a_)); });
    run([self] { return self->watch(socket(self->a_)); });
    run([self] { return self->watch(socket(self->b_)); });
  }

  /// Closes both ends at once.
  void close() {
    boost::system::error_code ignored;
    timer_.cancel();
    socket(a_).close(ignored);
    socket(b_).close(ignored);
  }

 private:
  using tcp_socket = boost::asio::ip::tcp::socket;
  using local_socket = boost::asio::local::stream_protocol::socket;
  using secured = std::unique_ptr<boost::asio::ssl::stream<tcp_socket>>;

  static tcp_socket &stream(tcp_socket &one) { return one; }
  static local_socket &stream(local_socket &one) { return one; }
  static auto &stream(secured &one) { return *one; }
  static tcp_socket &socket(tcp_socket &one) { return one; }
  static local_socket &socket(local_socket &one) { return one; }
  static tcp_socket &socket(secured &one) { return one->next_layer(); }

  template <class From, class To, class Socket>
  boost::asio::awaitable<void> flow(From &from, To &to, Socket &end) {
    using boost::asio::use_awaitable;
    boost::system::error_code failed;
    {
      std::vector<char> buffer(bytes_);
      while (!failed) {
        const auto size = co_await from.async_read_some(boost::asio::buffer(buffer),
                                                        boost::asio::redirect_error(use_awaitable, failed));
        if (failed) break;
        co_await boost::asio::async_write(to, boost::asio::buffer(buffer.data(), size),
                                          boost::asio::redirect_error(use_awaitable, failed));
        if (failed) co_return close();
      }
    }
    boost::system::error_code ignored;
    end.shutdown(boost::asio::socket_base::shutdown_send, ignored);
    if (++ended_ == 2) co_return close();
    limit();
  }

  /// Notices when an end's other side is gone for good, which a stuck write would not notice.
  template <class Socket>
  boost::asio::awaitable<void> watch(Socket &one) {
    boost::system::error_code failed;
    co_await one.async_wait(boost::asio::socket_base::wait_error,
                            boost::asio::redirect_error(boost::asio::use_awaitable, failed));
    if (!failed) limit();
  }

  void limit() {
    if (std::exchange(limited_, true)) return;
    timer_.expires_after(pump_linger);
    timer_.async_wait([self = this->shared_from_this()](const boost::system::error_code &cancelled) {
      if (!cancelled) self->close();
    });
  }

  A a_;
  B b_;
  const std::size_t bytes_;
  std::shared_ptr<void> kept_;
  boost::asio::steady_timer timer_;
  int ended_ = 0;
  bool limited_ = false;
};

/// Begins to copy the bytes of each of two streams into the other one.
template <class A, class B>
std::weak_ptr<pump<A, B>> join_streams(A a, B b, std::size_t bytes = pump_bytes,
                                       std::shared_ptr<void> kept = nullptr) {
  auto made = std::make_shared<pump<A, B>>(std::move(a), std::move(b), bytes, std::move(kept));
  made->start();
  return made;
}

}  // namespace slipstream::wire

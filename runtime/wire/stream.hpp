#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "runtime/wire/frames.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream::wire {

template <class T>
using task = boost::asio::awaitable<T>;
using tcp_protocol = boost::asio::ip::tcp;
using local_protocol = boost::asio::local::stream_protocol;
using secured_socket = boost::asio::ssl::stream<tcp_protocol::socket>;
using wire_clock = std::chrono::steady_clock;

/// Makes the calling thread less urgent than those that carry messages or compute. A thread calls this before
/// work that keeps a core busy.
void step_back();

/// Something that coroutines of one thread wait for.
class wake_up {
 public:
  explicit wake_up(const boost::asio::any_io_executor &executor) : timer_(executor) {}
  /// Ends the wait under way, or the next one.
  void set();
  task<void> wait();

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

/// One connection that carries frames: plain, secured, or local (which also carries file descriptors). All of
/// it belongs to one thread. A failure ends the operation under way with wire_error.
class wire_stream {
 public:
  using socket_variant =
      std::variant<tcp_protocol::socket, std::unique_ptr<secured_socket>, local_protocol::socket>;
  wire_stream(socket_variant socket, const wire_limits &limits);
  ~wire_stream();

  bool secured() const { return socket_.index() == 1; }
  bool local() const { return socket_.index() == 2; }
  boost::asio::any_io_executor executor();
  tcp_protocol::socket &tcp();
  local_protocol::socket &unix_socket() { return std::get<2>(socket_); }
  /// Makes the TLS handshake where the connection is secured. Throws wire_refusal where the certificates do
  /// not match.
  task<void> handshake(boost::asio::ssl::stream_base::handshake_type side);
  /// The name in the other side's certificate; empty without one.
  std::string peer_name() const;

  /// Reads the next frame's head and checks its place in the sequence.
  task<frame_head> read_head();
  task<void> read(void *to, std::size_t size);
  /// Reads bytes and returns their checksum, which is computed piece by piece while a piece is in the cache.
  task<std::uint64_t> read_summed(void *to, std::size_t size);
  /// Reads the payload of a small frame and checks it.
  task<std::string> read_payload(frame_head head, std::size_t longest);
  /// Takes the oldest descriptor that came with the frames read so far; -1: none. The caller closes it.
  int take_descriptor();
  /// Writes a frame without copying its payload. `descriptor` is sent along on a local stream.
  task<void> write(frame_kind kind, std::uint64_t argument, const void *payload, std::size_t size,
                   std::uint64_t payload_sum, int descriptor = -1);
  task<void> write(frame_kind kind, std::uint64_t argument, const std::string &payload, int descriptor = -1);

  /// Ends the connection unless clear_deadline() is called in time.
  void set_deadline(std::chrono::milliseconds from_now, const char *what);
  void clear_deadline() { deadline_ = {}; }
  /// Watches the deadline and the other side's silence until the stream is closed; calls `ping` when we have
  /// sent nothing for a while.
  task<void> watch(std::function<void()> ping);
  /// Closes the stream. The operation under way ends with this reason, or with that of an earlier call.
  void close(const std::string &reason);
  bool closed() const { return closed_; }

 private:
  template <class Work>
  task<void> guarded(Work work);
  task<void> read_local(void *to, std::size_t size);
  task<std::size_t> write_local(const void *head, int descriptor);
  void take_descriptors(struct msghdr &message);

  socket_variant socket_;
  std::chrono::milliseconds silence_;
  std::string reason_;
  const char *deadline_text_ = "";
  wire_clock::time_point last_in_, last_out_, deadline_{};
  boost::asio::steady_timer timer_;
  std::deque<int> descriptors_;
  std::uint64_t sequence_in_ = 0, sequence_out_ = 0;
  wire_clock::duration tick_;
  bool writing_ = false, closed_ = false;
};

/// Small frames on their way out of a stream.
struct small_frame {
  frame_kind kind;
  std::uint64_t argument = 0;
  std::string payload{};
};

}  // namespace slipstream::wire

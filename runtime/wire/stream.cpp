#include "runtime/wire/stream.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <limits>
#include <utility>

#include "runtime/wire/tls.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;
using asio::use_awaitable;
using boost::system::error_code;

namespace {

/// Bytes of a chunk that are read before they are added to its checksum: a core's second cache holds them.
constexpr std::size_t summed_piece = std::size_t{1} << 18;

}  // namespace

void step_back() {
  // At the same priority a message waits up to 3 ms for a core that a transfer keeps busy. A thread cannot
  // become more urgent again without privileges, so one that only hands over shared memory stays as urgent as
  // a message.
  constexpr int niceness = 5;
  thread_local bool done = false;
  if (std::exchange(done, true)) return;
  // On Linux this concerns the calling thread alone. Where it is not allowed, the transfer is as urgent as
  // everything else.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
}

void wake_up::set() {
  set_ = true;
  timer_.cancel();
}

task<void> wake_up::wait() {
  while (!set_) {
    timer_.expires_at(wire_clock::time_point::max());
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  set_ = false;
}

wire_stream::wire_stream(socket_variant socket, const wire_limits &limits)
    : socket_(std::move(socket)),
      silence_(limits.silence),
      last_in_(wire_clock::now()),
      last_out_(last_in_),
      timer_(executor()),
      tick_(
          std::clamp<wire_clock::duration>(std::min({limits.silence, limits.handshake, limits.transfer}) / 8,
                                           std::chrono::milliseconds(5), std::chrono::milliseconds(500))) {}

wire_stream::~wire_stream() {
  for (const int descriptor : descriptors_) ::close(descriptor);
}

asio::any_io_executor wire_stream::executor() {
  return local() ? std::get<2>(socket_).get_executor() : tcp().get_executor();
}

tcp_protocol::socket &wire_stream::tcp() {
  return secured() ? std::get<1>(socket_)->next_layer() : std::get<0>(socket_);
}

/// Runs an operation and gives its failure a text of ours.
template <class Work>
task<void> wire_stream::guarded(Work work) {
  try {
    if (closed_) throw wire_closed(reason_);
    co_await work();
  } catch (const boost::system::system_error &problem) {
    if (closed_) throw wire_closed(reason_);
    const auto &code = problem.code();
    if (code == asio::error::eof || code == asio::ssl::error::stream_truncated ||
        code == asio::error::connection_reset || code == asio::error::broken_pipe)
      throw wire_closed("the other side has closed the connection");
    if (code.category() == asio::error::get_ssl_category()) throw wire_refusal(tls_failure(code));
    throw wire_error(code.message());
  }
}

task<void> wire_stream::handshake(asio::ssl::stream_base::handshake_type side) {
  if (!secured()) co_return;
  auto &socket = *std::get<1>(socket_);
  co_await guarded([&]() { return socket.async_handshake(side, use_awaitable); });
  last_in_ = last_out_ = wire_clock::now();
}

std::string wire_stream::peer_name() const {
  if (!secured()) return {};
  auto &socket = *std::get<1>(socket_);
  return certificate_name(const_cast<secured_socket &>(socket).native_handle());
}

task<void> wire_stream::read(void *to, std::size_t size) {
  if (size == 0) co_return;
  if (local()) {
    co_await guarded([&]() { return read_local(to, size); });
    co_return;
  }
  // Reads as much as there is at a time, because each piece counts as a sign of life.
  const auto more = [this, size](const error_code &code, std::size_t got) -> std::size_t {
    last_in_ = wire_clock::now();
    return code ? 0 : size - got;
  };
  const auto buffer = asio::buffer(to, size);
  co_await guarded([&]() -> task<void> {
    if (secured())
      co_await asio::async_read(*std::get<1>(socket_), buffer, more, use_awaitable);
    else
      co_await asio::async_read(std::get<0>(socket_), buffer, more, use_awaitable);
  });
}

task<std::uint64_t> wire_stream::read_summed(void *to, std::size_t size) {
  if (size <= summed_piece) {
    co_await read(to, size);
    co_return checksum(to, size);
  }
  running_checksum sum;
  for (auto *at = static_cast<char *>(to); size > 0;) {
    const auto piece = std::min(size, summed_piece);
    co_await read(at, piece);
    sum.add(at, piece);
    at += piece, size -= piece;
  }
  co_return sum.sum();
}

task<void> wire_stream::read_local(void *to, std::size_t size) {
  auto &socket = std::get<2>(socket_);
  for (auto *at = static_cast<char *>(to); size > 0;) {
    iovec part{at, size};
    alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    const auto got = ::recvmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0) {
      take_descriptors(message);
      last_in_ = wire_clock::now();
      at += got, size -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      throw boost::system::system_error(asio::error::eof);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      co_await socket.async_wait(local_protocol::socket::wait_read, use_awaitable);
    } else if (errno != EINTR) {
      throw boost::system::system_error(error_code(errno, boost::system::system_category()));
    }
  }
}

void wire_stream::take_descriptors(msghdr &message) {
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      descriptors_.push_back(descriptor);
    }
  }
  if (descriptors_.size() > 4 || (message.msg_flags & MSG_CTRUNC) != 0)
    throw wire_error("more descriptors came than belong to an offer");
}

int wire_stream::take_descriptor() {
  if (descriptors_.empty()) return -1;
  const int descriptor = descriptors_.front();
  descriptors_.pop_front();
  return descriptor;
}

task<frame_head> wire_stream::read_head() {
  head_buffer bytes;
  co_await read(bytes.data(), bytes.size());
  const auto head = unpack(bytes);
  if (head.sequence != sequence_in_++) throw wire_error("a frame is missing or came twice");
  co_return head;
}

task<std::string> wire_stream::read_payload(frame_head head, std::size_t longest) {
  if (head.length > longest) throw wire_error("a frame is longer than it may be");
  std::string payload(head.length, '\0');
  co_await read(payload.data(), payload.size());
  if (checksum(payload.data(), payload.size()) != payload_checksum(head))
    throw wire_error("a frame is damaged");
  co_return payload;
}

task<std::size_t> wire_stream::write_local(const void *head, int descriptor) {
  auto &socket = std::get<2>(socket_);
  iovec part{const_cast<void *>(head), head_bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  for (;;) {
    const auto sent = ::sendmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) co_return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      co_await socket.async_wait(local_protocol::socket::wait_write, use_awaitable);
    else if (errno != EINTR)
      throw boost::system::system_error(error_code(errno, boost::system::system_category()));
  }
}

task<void> wire_stream::write(frame_kind kind, std::uint64_t argument, const void *payload, std::size_t size,
                              std::uint64_t payload_sum, int descriptor) {
  frame_head head;
  head.length = static_cast<std::uint32_t>(size);
  head.kind = kind, head.argument = argument, head.sequence = sequence_out_++;
  const head_buffer bytes = pack(head, payload_sum);
  const auto more = [this, size](const error_code &code, std::size_t done) -> std::size_t {
    last_out_ = wire_clock::now();
    return code ? 0 : size + head_bytes - done;
  };
  writing_ = true;
  last_out_ = wire_clock::now();
  co_await guarded([&]() -> task<void> {
    std::size_t sent = 0;
    if (descriptor >= 0) sent = co_await write_local(bytes.data(), descriptor);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(bytes.data() + sent, head_bytes - sent),
                                                  asio::buffer(payload, size)};
    if (socket_.index() == 0)
      co_await asio::async_write(std::get<0>(socket_), parts, more, use_awaitable);
    else if (secured())
      co_await asio::async_write(*std::get<1>(socket_), parts, more, use_awaitable);
    else
      co_await asio::async_write(std::get<2>(socket_), parts, more, use_awaitable);
  });
  writing_ = false;
}

task<void> wire_stream::write(frame_kind kind, std::uint64_t argument, const std::string &payload,
                              int descriptor) {
  return write(kind, argument, payload.data(), payload.size(), checksum(payload.data(), payload.size()),
               descriptor);
}

void wire_stream::set_deadline(std::chrono::milliseconds from_now, const char *what) {
  deadline_ = wire_clock::now() + from_now;
  deadline_text_ = what;
}

task<void> wire_stream::watch(std::function<void()> ping) {
  while (!closed_) {
    timer_.expires_after(tick_);
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
    const auto now = wire_clock::now();
    if (deadline_ != wire_clock::time_point{} && now > deadline_)
      close(deadline_text_);
    else if (now - last_in_ > silence_)
      close("the other side has said nothing for " + std::to_string(silence_.count()) + " ms");
    else if (writing_ && now - last_out_ > silence_)
      close("the other side has taken nothing for " + std::to_string(silence_.count()) + " ms");
    else if (!writing_ && now - last_out_ > silence_ / 4)
      ping();
  }
}

void wire_stream::close(const std::string &reason) {
  if (closed_) return;
  closed_ = true;
  reason_ = reason;
  timer_.cancel();
  error_code ignored;
  if (local())
    std::get<2>(socket_).close(ignored);
  else
    tcp().close(ignored);
}

}  // namespace slipstream::wire

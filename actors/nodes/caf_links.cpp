#include "actors/nodes/caf_links.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <caf/io/all.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/openssl/session.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/error.hpp"

namespace slipstream {
namespace {

using caf::io::network::default_multiplexer;
using caf::io::network::native_socket;
using caf::io::network::rw_state;

/// A socket until it has an owner.
class loose_socket {
 public:
  explicit loose_socket(int descriptor) : descriptor_(descriptor) {}
  ~loose_socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  loose_socket(loose_socket &&other) noexcept : descriptor_(other.release()) {}
  loose_socket &operator=(loose_socket &&) = delete;
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// Whether something can be read or written within a step; else errno says why not.
bool ready(int socket, short what) {
  const auto end = std::chrono::steady_clock::now() + dial_step;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd wanted{socket, what, 0};
    const int found = left > 0 ? ::poll(&wanted, 1, static_cast<int>(left)) : 0;
    if (found > 0) return true;
    if (found == 0) errno = ETIMEDOUT;
    if (errno != EINTR) return false;
  }
}

bool connected(int socket, const addrinfo &address) {
  if (::connect(socket, address.ai_addr, address.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS || !ready(socket, POLLOUT)) return false;
  int problem = 0;
  socklen_t size = sizeof problem;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size);
  errno = problem;
  return problem == 0;
}

loose_socket connect_tcp(const endpoint &place) {
  addrinfo wanted{}, *first = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  if (const int problem =
          ::getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &wanted, &first))
    throw run_error(::gai_strerror(problem));
  const std::unique_ptr<addrinfo, void (*)(addrinfo *)> addresses(first, ::freeaddrinfo);
  std::string why = "it has no address";
  for (const auto *address = first; address; address = address->ai_next) {
    loose_socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() >= 0 && connected(socket.get(), *address)) return socket;
    why = std::strerror(errno);
  }
  throw run_error(why);
}

/// OpenSSL tells of errors through a queue of the thread, and takes what it finds there for the news of the
/// connection at hand: whoever was there before must have left nothing.
class clean_session {
 public:
  explicit clean_session(caf::openssl::session_ptr session) : session_(std::move(session)) {}
  rw_state read_some(std::size_t &result, native_socket socket, void *buffer, std::size_t size) {
    ERR_clear_error();
    return session_->read_some(result, socket, buffer, size);
  }
  rw_state write_some(std::size_t &result, native_socket socket, const void *buffer, std::size_t size) {
    ERR_clear_error();
    return session_->write_some(result, socket, buffer, size);
  }
  bool must_read_more(native_socket socket, std::size_t threshold) {
    return session_->must_read_more(socket, threshold);
  }

 private:
  caf::openssl::session_ptr session_;
};

/// What caf::openssl has inside.
class secured_scribe : public caf::io::scribe {
 public:
  secured_scribe(default_multiplexer &multiplexer, native_socket socket, caf::openssl::session_ptr session)
      : scribe(caf::io::network::conn_hdl_from_socket(socket)),
        stream_(multiplexer, socket, std::move(session)) {}
  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (std::exchange(launched_, true)) return;
    stream_.start(this);
    stream_.force_empty_write(this);  // OpenSSL may have something to say first
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char> &wr_buf() override { return stream_.wr_buf(); }
  std::vector<char> &rd_buf() override { return stream_.rd_buf(); }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  void flush() override { stream_.flush(this); }
  std::string addr() const override {
    const auto found = caf::io::network::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string();
  }
  std::uint16_t port() const override {
    const auto found = caf::io::network::remote_port_of_fd(stream_.fd());
    return found ? *found : std::uint16_t{0};
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

 private:
  bool launched_ = false;
  caf::io::network::stream_impl<clean_session> stream_;
};

class secured_doorman : public caf::io::network::doorman_impl {
 public:
  using doorman_impl::doorman_impl;
  bool new_connection() override {
    if (detached()) return false;
    loose_socket socket(acceptor_.accepted_socket());
    ERR_clear_error();
    caf::io::network::nonblocking(socket.get(), true);
    auto session = caf::openssl::make_session(parent()->system(), socket.get(), true);
    if (!session) return false;
    auto &multiplexer = acceptor_.backend();
    const auto scribe = caf::make_counted<secured_scribe>(multiplexer, socket.release(), std::move(session));
    const auto handle = scribe->hdl();
    parent()->add_scribe(scribe);
    return doorman::new_connection(&multiplexer, handle);
  }
};

default_multiplexer &multiplexer_of(caf::actor_system &system) {
  return static_cast<default_multiplexer &>(
      system.middleman().backend());  // caf::openssl::manager demands it
}

caf::io::scribe_ptr secure(caf::actor_system &system, loose_socket socket) {
  const timeval limit{dial_step.count(), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  caf::io::network::nonblocking(socket.get(), false);
  ERR_clear_error();
  auto session = caf::openssl::make_session(system, socket.get(), false);
  if (!session) {
    const auto *reason = ERR_reason_error_string(ERR_get_error());
    throw run_error(std::string("TLS: ") + (reason ? reason : "the other side has closed the connection"));
  }
  return caf::make_counted<secured_scribe>(multiplexer_of(system), socket.release(), std::move(session));
}

}  // namespace

caf::io::scribe_ptr connect_link(caf::actor_system &system, const endpoint &place, bool plain) {
  auto socket = connect_tcp(place);
  const int descriptor = socket.get();
  auto link =
      plain ? system.middleman().backend().new_scribe(socket.release()) : secure(system, std::move(socket));
  if (!ready(descriptor, POLLIN)) throw run_error(std::string("it says nothing: ") + std::strerror(errno));
  return link;
}

caf::io::doorman_ptr open_secured(caf::actor_system &system, const endpoint &place) {
  const auto socket = caf::io::network::new_tcp_acceptor_impl(place.port, place.host.c_str(), true);
  if (!socket) return nullptr;
  return caf::make_counted<secured_doorman>(multiplexer_of(system), *socket);
}

}  // namespace slipstream

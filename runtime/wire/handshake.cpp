#include "runtime/wire/handshake.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdint>
#include <new>

namespace slipstream::wire {

namespace asio = boost::asio;

namespace {

int socket_of(BIO *bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int after(BIO *bio, ssize_t done, int retry) {
  BIO_clear_retry_flags(bio);
  if (done < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(done);
}

/// How OpenSSL reads and writes a socket of ours. OpenSSL's own way ends the process (SIGPIPE) where the
/// other side is gone.
BIO_METHOD *quiet_socket() {
  static BIO_METHOD *const method = [] {
    auto *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "quiet socket");
    if (!made) throw std::bad_alloc();
    BIO_meth_set_write(made, [](BIO *bio, const char *bytes, int size) {
      return after(bio,
                   ::send(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL),
                   BIO_FLAGS_WRITE);
    });
    BIO_meth_set_read(made, [](BIO *bio, char *bytes, int size) {
      return after(bio, ::recv(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT),
                   BIO_FLAGS_READ);
    });
    BIO_meth_set_ctrl(made, [](BIO *, int what, long, void *) -> long { return what == BIO_CTRL_FLUSH; });
    return made;
  }();
  return method;
}

struct freed_connection {
  void operator()(SSL *connection) const { SSL_free(connection); }
};

}  // namespace

task<std::unique_ptr<secured_socket>> accept_secured(tcp_protocol::socket &socket,
                                                     asio::ssl::context &context) {
  std::unique_ptr<SSL, freed_connection> tls(SSL_new(context.native_handle()));
  BIO *bio = BIO_new(quiet_socket());
  if (!tls || !bio) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, reinterpret_cast<void *>(static_cast<std::intptr_t>(socket.native_handle())));
  BIO_set_init(bio, 1);
  SSL_set_bio(tls.get(), bio, bio);
  for (;;) {
    ERR_clear_error();
    const int done = SSL_accept(tls.get());
    if (done == 1) break;
    const int what = SSL_get_error(tls.get(), done);
    if (what == SSL_ERROR_WANT_READ) {
      co_await socket.async_wait(tcp_protocol::socket::wait_read, asio::use_awaitable);
    } else if (what == SSL_ERROR_WANT_WRITE) {
      co_await socket.async_wait(tcp_protocol::socket::wait_write, asio::use_awaitable);
    } else {
      const auto code = static_cast<int>(ERR_get_error());
      if (code == 0) throw wire_error("it has closed the connection");
      throw boost::system::system_error(boost::system::error_code(code, asio::error::get_ssl_category()));
    }
  }
  co_return std::make_unique<secured_socket>(std::move(socket), tls.release());
}

}  // namespace slipstream::wire

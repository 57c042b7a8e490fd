#include "runtime/wire/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "models/error.hpp"
#include "runtime/wire/owner.hpp"
#include "runtime/wire/stream.hpp"
#include "runtime/wire/tls.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

namespace {

constexpr std::size_t longest_said = 4096;  ///< bytes of the other side's first words that are read at a time

/// Limits how long the step under way may take. A step that takes longer fails as a broken connection does.
struct step_clock {
  step_clock(asio::io_context &context, std::chrono::milliseconds most) : timer(context), step(most) {}
  template <class Closed>
  void begin(Closed close) {
    timer.expires_after(step);
    timer.async_wait([late = late, close](const boost::system::error_code &cancelled) {
      if (cancelled) return;
      *late = true;
      close();
    });
  }
  asio::steady_timer timer;
  std::chrono::milliseconds step;
  std::shared_ptr<bool> late = std::make_shared<bool>(false);
};

enum class dial_stage { connecting, securing, listening };

std::string text_of(const boost::system::error_code &code, dial_stage at, bool tls, bool late) {
  const std::string in_time = "Connection timed out";
  if (late) return at == dial_stage::listening ? "it says nothing: " + in_time : in_time;
  if (at == dial_stage::connecting) return code.message();
  if (code.category() == asio::error::get_ssl_category()) return tls_failure(code);
  if (at == dial_stage::securing) return "TLS: the other side has closed the connection";
  return tls ? "it ends the connection: both sides need certificates of one authority, in date"
             : "it ends the connection: without certificates both sides must be processes of one user";
}

template <class Stream>
task<std::string> first_said(Stream &stream, const std::string &words) {
  if (!words.empty()) co_await asio::async_write(stream, asio::buffer(words), use_awaitable);
  std::string said(longest_said, '\0');
  said.resize(co_await stream.async_read_some(asio::buffer(said), use_awaitable));
  co_return said;
}

}  // namespace

task<dialled> dial(asio::io_context &context, endpoint place, std::shared_ptr<tls_identity> identity,
                   std::string first_words, std::chrono::milliseconds step) {
  auto at = dial_stage::connecting;
  const auto clock = std::make_shared<step_clock>(context, step);
  try {
    const auto resolver = std::make_shared<tcp::resolver>(context);
    clock->begin([resolver] { resolver->cancel(); });
    const auto found =
        co_await resolver->async_resolve(place.host, std::to_string(place.port), use_awaitable);
    // It is on the heap because the timer may call its handler after this coroutine has ended.
    const auto socket = std::make_shared<tcp::socket>(context);
    clock->begin([socket] { socket->close(); });
    co_await asio::async_connect(*socket, found, use_awaitable);
    socket->set_option(tcp::no_delay(true));
    if (!identity) {
      at = dial_stage::listening;
      clock->begin([socket] { socket->close(); });
      auto said = co_await first_said(*socket, first_words);
      clock->timer.cancel();
      if (*clock->late) throw boost::system::system_error(asio::error::timed_out);
      if (!same_user(*socket)) throw run_error("a process of another user listens there");
      co_return dialled{std::move(*socket), std::move(said)};
    }
    at = dial_stage::securing;
    const auto certificates = identity->context();
    const auto secured = std::make_shared<secured_socket>(std::move(*socket), *certificates);
    clock->begin([secured] { secured->next_layer().close(); });
    co_await secured->async_handshake(asio::ssl::stream_base::client, use_awaitable);
    at = dial_stage::listening;
    clock->begin([secured] { secured->next_layer().close(); });
    auto said = co_await first_said(*secured, first_words);
    clock->timer.cancel();
    if (*clock->late) throw boost::system::system_error(asio::error::timed_out);
    co_return dialled{std::make_unique<secured_socket>(std::move(*secured)), std::move(said)};
  } catch (const boost::system::system_error &problem) {
    clock->timer.cancel();
    throw run_error(text_of(problem.code(), at, identity != nullptr, *clock->late));
  }
}

}  // namespace slipstream::wire

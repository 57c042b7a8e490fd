#include "runtime/wire/front.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <map>
#include <utility>

#include "models/error.hpp"
#include "runtime/wire/frames.hpp"
#include "runtime/wire/handshake.hpp"
#include "runtime/wire/owner.hpp"
#include "runtime/wire/strangers.hpp"
#include "runtime/wire/stream.hpp"
#include "runtime/wire/tls.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t record_head = 5;  ///< bytes of a TLS record's head: type, version and length
constexpr std::size_t longest_greeting =
    1 << 14;                                  ///< bytes of a TLS client's first record; no record is longer
constexpr std::size_t accepted_at_once = 20;  ///< connections accepted before other work has its turn
constexpr std::chrono::milliseconds breath = 20ms;  ///< how long other work then has its turn

/// A connection until it has proved who it is.
struct stranger {
  stranger(tcp::socket from, std::uint64_t which)
      : socket(std::move(from)),
        deadline(socket.get_executor()),
        turn(socket.get_executor()),
        number(which) {}
  tcp::socket &tcp_socket() { return secured ? secured->next_layer() : socket; }
  /// Ends the operation under way.
  void close(const char *reason) {
    if (closed || proved) return;
    closed = true;
    why = reason;
    error_code ignored;
    tcp_socket().close(ignored);
    deadline.cancel();
    turn.set();
  }
  tcp::socket socket;
  std::unique_ptr<secured_socket> secured;
  asio::steady_timer deadline;
  wake_up turn;
  const std::uint64_t number;
  std::string why;
  bool closed = false, proved = false;
};
using stranger_ptr = std::shared_ptr<stranger>;

/// Returns how many bytes a first message has, which its first bytes tell. Throws where no message begins so.
std::size_t greeting_size(const unsigned char *head, std::size_t size, bool tls, const std::string &words) {
  if (!tls) {
    if (words.compare(0, std::min(size, words.size()), reinterpret_cast<const char *>(head),
                      std::min(size, words.size())) != 0)
      throw wire_error("it says something else");
    return std::max<std::size_t>(words.size(), 1);
  }
  if (head[0] != 22 || (size > 1 && head[1] != 3)) throw wire_error("it does not speak TLS");
  if (size < record_head) return record_head;
  const auto length = std::size_t{head[3]} << 8 | head[4];
  if (length == 0 || length > longest_greeting) throw wire_error("it does not speak TLS");
  return record_head + length;
}

bool out_of_something(const error_code &failed) {
  return failed == error_code(EMFILE, boost::system::system_category()) ||
         failed == error_code(ENFILE, boost::system::system_category()) || failed == asio::error::no_memory ||
         failed == asio::error::no_buffer_space;
}

}  // namespace

struct front::parts : std::enable_shared_from_this<parts> {
  parts(asio::io_context &io, front_options what, std::function<void(known_stream)> taken,
        std::function<void(const std::string &)> not_taken)
      : context(io),
        options(std::move(what)),
        take(std::move(taken)),
        refused(std::move(not_taken)),
        acceptor(io),
        pace(io),
        waiting(options.strangers, options.handshakes) {}

  void listen() {
    const auto &place = options.listen;
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(place.host, std::to_string(place.port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service);
    const tcp::endpoint address = found.begin()->endpoint();
    if (!options.identity && !address.address().is_loopback()) check_place(place, {}, to_string(place));
    acceptor.open(address.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    // The kernel holds a connection back for a while until something was sent on it, so that silent ones
    // never reach us. Where the kernel cannot do that, our own deadline ends them.
    const int seconds = static_cast<int>(std::max<std::int64_t>(options.handshake / 1s, 1));
    (void)::setsockopt(acceptor.native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    acceptor.bind(address);
    acceptor.listen();
    port = acceptor.local_endpoint().port();
  }

  /// The argument keeps this object alive, here and in the coroutines below.
  task<void> accept(std::shared_ptr<parts>) {
    std::size_t at_once = 0;
    asio::steady_timer pause(context);
    while (!closed) {
      error_code failed;
      auto socket = co_await acceptor.async_accept(asio::redirect_error(use_awaitable, failed));
      if (closed) co_return;
      if (!failed) failed = begin(std::move(socket));
      // those who have proved who they are need descriptors and memory more than strangers do
      if (out_of_something(failed)) spare("out of descriptors");
      if (!failed && ++at_once < accepted_at_once) continue;
      at_once = 0;
      pause.expires_after(breath);
      co_await pause.async_wait(asio::redirect_error(use_awaitable, failed));
    }
  }

  void spare(const char *why) {
    if (const auto number = waiting.worst()) end(*number, why);
  }

  void end(std::uint64_t number, const char *why) {
    waiting.leave(number);
    here.at(number)->close(why);
  }

  error_code begin(tcp::socket socket) try {
    error_code failed;
    const auto from = socket.remote_endpoint(failed);
    if (failed) return {};  // the other side has gone already
    socket.set_option(tcp::no_delay(true), failed);
    const auto who = std::make_shared<stranger>(std::move(socket), ++numbers);
    here[who->number] = who;
    if (const auto gone = waiting.come(who->number, from.address())) end(*gone, "too many others wait");
    who->deadline.expires_after(options.handshake);
    who->deadline.async_wait([who](const error_code &cancelled) {
      if (!cancelled) who->close("it took too long to say who it is");
    });
    asio::co_spawn(
        context, [self = shared_from_this(), who] { return self->meet(self, who); }, asio::detached);
    return {};
  } catch (const std::bad_alloc &) {
    return asio::error::no_memory;
  }

  task<void> meet(std::shared_ptr<parts>, stranger_ptr who) {
    std::string why;
    try {
      co_await spoken(*who);
      if (who->closed) throw wire_error(who->why);
      waiting.wait(who->number);
      give_turns();
      co_await who->turn.wait();
      if (who->closed) throw wire_error(who->why);
      co_await prove(*who);
    } catch (const boost::system::system_error &problem) {
      const auto &code = problem.code();
      why = code.category() == asio::error::get_ssl_category() ? tls_failure(code) : code.message();
    } catch (const std::exception &problem) {
      why = problem.what();
    }
    waiting.leave(who->number);
    here.erase(who->number);
    who->deadline.cancel();
    if (who->closed) why = who->why;
    if (why.empty()) why = hand_on(*who);
    if (!why.empty() && refused && !closed) refused(why);
    give_turns();
  }

  /// Waits until the whole first message is here, so that no handshake begins with a part of one.
  task<void> spoken(stranger &who) {
    asio::steady_timer pause(context);
    for (auto wait = breath; !who.closed; wait = std::min<std::chrono::milliseconds>(wait * 2, 320ms)) {
      co_await who.socket.async_wait(tcp::socket::wait_read, use_awaitable);
      std::array<unsigned char, 64> head{};
      const auto got = ::recv(who.socket.native_handle(), head.data(), head.size(), MSG_PEEK | MSG_DONTWAIT);
      if (got == 0) throw wire_error("it has closed the connection");
      if (got < 0 && errno != EAGAIN && errno != EINTR)
        throw boost::system::system_error(error_code(errno, boost::system::system_category()));
      if (got > 0) {
        const auto wanted = greeting_size(head.data(), static_cast<std::size_t>(got),
                                          options.identity != nullptr, options.first_words);
        int there = 0;
        if (::ioctl(who.socket.native_handle(), FIONREAD, &there) == 0 &&
            static_cast<std::size_t>(there) >= wanted)
          co_return;
      }
      pause.expires_after(wait);
      co_await pause.async_wait(use_awaitable);
    }
  }

  void give_turns() {
    while (const auto number = waiting.next(wire_clock::now())) here.at(*number)->turn.set();
    const auto next = waiting.next_turn();
    if (!next || closed || pacing) return;
    pacing = true;
    pace.expires_at(*next);
    pace.async_wait([self = shared_from_this()](const error_code &) {
      self->pacing = false;
      if (!self->closed) self->give_turns();
    });
  }

  task<void> prove(stranger &who) {
    std::string words(options.first_words.size(), '\0');
    if (options.identity) {
      const auto certificates = options.identity->context();
      who.secured = co_await accept_secured(who.socket, *certificates);
      if (!words.empty()) co_await asio::async_read(*who.secured, asio::buffer(words), use_awaitable);
    } else {
      if (!same_user(who.socket)) throw wire_error("it is of another user, and there are no certificates");
      if (!words.empty()) co_await asio::async_read(who.socket, asio::buffer(words), use_awaitable);
    }
    if (words != options.first_words) throw wire_error("it says something else");
  }

  std::string hand_on(stranger &who) {
    who.proved = true;
    try {
      if (who.secured)
        take(std::move(who.secured));
      else
        take(std::move(who.socket));
      return "";
    } catch (const std::exception &problem) {
      return problem.what();
    }
  }

  void close() {
    if (std::exchange(closed, true)) return;
    error_code ignored;
    acceptor.close(ignored);
    pace.cancel();
    for (const auto &[number, who] : here) who->close("nobody listens any more");
  }

  asio::io_context &context;
  const front_options options;
  std::function<void(known_stream)> take;
  std::function<void(const std::string &)> refused;
  tcp::acceptor acceptor;
  asio::steady_timer pace;
  strangers waiting;
  std::map<std::uint64_t, stranger_ptr> here;
  std::uint64_t numbers = 0;
  std::uint16_t port = 0;
  bool pacing = false, closed = false;
};

front::front(asio::io_context &context, front_options options, std::function<void(known_stream)> take,
             std::function<void(const std::string &)> refused)
    : parts_(std::make_shared<parts>(context, std::move(options), std::move(take), std::move(refused))) {
  parts_->listen();
  asio::co_spawn(
      context, [self = parts_] { return self->accept(self); }, asio::detached);
}

front::~front() {
  close();
}

std::uint16_t front::port() const {
  return parts_->port;
}

void front::close() {
  parts_->close();
}

}  // namespace slipstream::wire

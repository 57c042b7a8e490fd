#include "runtime/wire/tunnel.hpp"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "models/error.hpp"
#include "runtime/wire/tls.hpp"

namespace slipstream {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
template <class T>
using task = asio::awaitable<T>;

constexpr std::chrono::seconds handshake_limit{10};
constexpr std::size_t longest_read = std::size_t{1} << 18;
constexpr std::size_t most_links = 4096;  ///< whoever knocks more often is not heard

/// One connection: its plain end here, and the secured one that leads to the other process.
struct tunnel_link {
  tunnel_link(asio::io_context &io, asio::ssl::context &context)
      : plain(io), secured(io, context), timer(io) {}
  void close() {
    boost::system::error_code ignored;
    timer.cancel();
    plain.close(ignored);
    secured.lowest_layer().close(ignored);
  }
  tcp::socket plain;
  asio::ssl::stream<tcp::socket> secured;
  asio::steady_timer timer;
};
using link_ptr = std::shared_ptr<tunnel_link>;

template <class From, class To>
task<void> pump(link_ptr link, From &from, To &to) {
  try {
    std::vector<char> buffer(longest_read);
    for (;;) {
      const auto size = co_await from.async_read_some(asio::buffer(buffer), use_awaitable);
      co_await asio::async_write(to, asio::buffer(buffer.data(), size), use_awaitable);
    }
  } catch (const boost::system::system_error &) {  // an end of one side is an end of the other
    link->close();
  }
}

/// What a connection begins with, once it is secured.
std::array<std::uint8_t, 4> head_of(std::uint32_t number) {
  std::array<std::uint8_t, 4> head{};
  for (std::size_t i = 0; i < head.size(); ++i) head[i] = static_cast<std::uint8_t>(number >> 8 * i);
  return head;
}
std::uint32_t number_in(const std::array<std::uint8_t, 4> &head) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < head.size(); ++i) number |= std::uint32_t{head[i]} << 8 * i;
  return number;
}

std::string text_of(const boost::system::system_error &problem) {
  if (problem.code().category() == asio::error::get_ssl_category()) return wire::tls_failure(problem.code());
  return problem.code().message();
}

}  // namespace

struct tls_tunnel::parts {
  explicit parts(const wire_security &security)
      : context(wire::tls_context(security)), incoming(io), work(asio::make_work_guard(io)) {}

  link_ptr fresh() {
    std::erase_if(links, [](const auto &each) { return each.expired(); });
    auto link = std::make_shared<tunnel_link>(io, *context);
    links.push_back(link);
    return link;
  }

  endpoint place_of(std::uint32_t number) const {
    const std::lock_guard lock(mutex);
    const auto found = inside.find(number);
    return found == inside.end() ? endpoint{} : found->second;
  }

  void note(const std::string &what) {
    const std::lock_guard lock(mutex);
    problem = what;
  }

  /// Whoever takes longer than this for its first words is left.
  void limit(const link_ptr &link) {
    link->timer.expires_after(handshake_limit);
    link->timer.async_wait([link](const boost::system::error_code &cancelled) {
      if (!cancelled) link->close();
    });
  }

  void start(const link_ptr &link) {
    link->timer.cancel();
    boost::system::error_code ignored;
    link->plain.set_option(tcp::no_delay(true), ignored);
    link->secured.lowest_layer().set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(io, pump(link, link->plain, link->secured), asio::detached);
    asio::co_spawn(io, pump(link, link->secured, link->plain), asio::detached);
  }

  task<void> take_in(link_ptr link) {
    try {
      limit(link);
      co_await link->secured.async_handshake(asio::ssl::stream_base::server, use_awaitable);
      std::array<std::uint8_t, 4> head{};
      co_await asio::async_read(link->secured, asio::buffer(head), use_awaitable);
      const auto to = place_of(number_in(head));
      if (to.port == 0) co_return link->close();
      co_await link->plain.async_connect({asio::ip::make_address(to.host), to.port}, use_awaitable);
      start(link);
    } catch (const boost::system::system_error &failed) {
      note("a connection from another process: " + text_of(failed));
      link->close();
    }
  }

  task<void> lead_out(link_ptr link, endpoint to, std::uint32_t number) {
    try {
      limit(link);
      tcp::resolver resolver(io);
      const auto found = co_await resolver.async_resolve(to.host, std::to_string(to.port), use_awaitable);
      co_await asio::async_connect(link->secured.lowest_layer(), found, use_awaitable);
      co_await link->secured.async_handshake(asio::ssl::stream_base::client, use_awaitable);
      const auto head = head_of(number);
      co_await asio::async_write(link->secured, asio::buffer(head), use_awaitable);
      start(link);
    } catch (const boost::system::system_error &failed) {
      note(to_string(to) + ": " + text_of(failed));
      link->close();
    }
  }

  task<void> take_others() {
    try {
      for (;;) {
        auto link = fresh();
        co_await incoming.async_accept(link->secured.lowest_layer(), use_awaitable);
        if (links.size() <= most_links) asio::co_spawn(io, take_in(std::move(link)), asio::detached);
      }
    } catch (const boost::system::system_error &failed) {
      if (failed.code() != asio::error::operation_aborted)
        note("no more connections are taken: " + text_of(failed));
    }
  }

  task<void> take_own(std::shared_ptr<tcp::acceptor> here, endpoint to, std::uint32_t number) {
    try {
      auto link = fresh();
      co_await here->async_accept(link->plain, use_awaitable);
      here->close();  // the one that it was opened for
      asio::co_spawn(io, lead_out(std::move(link), to, number), asio::detached);
    } catch (const boost::system::system_error &failed) {
      if (failed.code() != asio::error::operation_aborted)
        note("no connection could be led out: " + text_of(failed));
    }
  }

  asio::io_context io{1};
  std::shared_ptr<asio::ssl::context> context;
  tcp::acceptor incoming;
  std::vector<std::weak_ptr<tunnel_link>> links;  ///< of the thread alone
  asio::executor_work_guard<asio::io_context::executor_type> work;
  mutable std::mutex mutex;  ///< of the two below
  std::map<std::uint32_t, endpoint> inside;
  std::string problem;
  std::thread thread;
};

tls_tunnel::tls_tunnel(const wire_security &security, const std::string &host) {
  if (security.plain()) throw run_error("a tunnel needs certificates");
  parts_ = std::make_shared<parts>(security);
  auto &self = *parts_;
  try {
    tcp::resolver resolver(self.io);
    const tcp::endpoint place = *resolver.resolve(host, "0").begin();
    self.incoming.open(place.protocol());
    self.incoming.bind(place);
    self.incoming.listen();
  } catch (const boost::system::system_error &failed) {
    throw run_error(
        host + ": error: no port can be opened here for the ranks of a learner: " + failed.code().message());
  }
  asio::co_spawn(self.io, self.take_others(), asio::detached);
  self.thread = std::thread([parts = parts_.get()] { parts->io.run(); });
}

tls_tunnel::~tls_tunnel() {
  parts_->io.stop();
  parts_->thread.join();
}

std::uint16_t tls_tunnel::port() const {
  return parts_->incoming.local_endpoint().port();
}

void tls_tunnel::lead_in(std::uint32_t number, const endpoint &local) {
  const std::lock_guard lock(parts_->mutex);
  parts_->inside[number] = local;
}

endpoint tls_tunnel::way_to(const endpoint &tunnel, std::uint32_t number) {
  const auto here =
      std::make_shared<tcp::acceptor>(parts_->io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  asio::co_spawn(parts_->io, parts_->take_own(here, tunnel, number), asio::detached);
  return {"127.0.0.1", here->local_endpoint().port()};
}

std::string tls_tunnel::problem() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->problem;
}

std::string host_for_others(const std::string &host) {
  if (host != "0.0.0.0" && host != "::") return host;
  boost::system::error_code failed;
  const auto name = asio::ip::host_name(failed);
  return failed || name.empty() ? "localhost" : name;
}

std::string address_towards(const endpoint &place) {
  try {
    asio::io_context io;
    asio::ip::udp::resolver resolver(io);
    const asio::ip::udp::endpoint there = *resolver.resolve(place.host, std::to_string(place.port)).begin();
    asio::ip::udp::socket socket(io, there.protocol());
    socket.connect(there);  // sends nothing: it asks which way there is
    return socket.local_endpoint().address().to_string();
  } catch (const boost::system::system_error &) {
    return any_address;
  }
}

}  // namespace slipstream

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
#include "runtime/wire/front.hpp"
#include "runtime/wire/pump.hpp"
#include "runtime/wire/stream.hpp"
#include "runtime/wire/tls.hpp"

namespace slipstream {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
template <class T>
using task = asio::awaitable<T>;

constexpr std::chrono::seconds first_words_limit{
    10};  ///< the time that a connection has for each step before its bytes are led on
constexpr std::size_t longest_read = std::size_t{1} << 18;
constexpr std::size_t most_links = 4096;  ///< further connections are not taken

using secured_ptr = std::unique_ptr<wire::secured_socket>;

/// One connection while it is made: its plain end here, and the secured one that leads to the other process.
struct tunnel_link {
  explicit tunnel_link(asio::io_context &io) : plain(io), timer(io) {}
  void close() {
    boost::system::error_code ignored;
    timer.cancel();
    plain.close(ignored);
    if (secured) secured->lowest_layer().close(ignored);
  }
  tcp::socket plain;
  secured_ptr secured;
  asio::steady_timer timer;
  std::shared_ptr<void> counted;
};
using link_ptr = std::shared_ptr<tunnel_link>;

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
      : identity(wire::identity_of(security, "tunnels")), work(asio::make_work_guard(io)) {}

  link_ptr fresh() {
    auto link = std::make_shared<tunnel_link>(io);
    link->counted = one;
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

  /// Closes a connection that takes longer than first_words_limit for a step.
  void limit(const link_ptr &link) {
    link->timer.expires_after(first_words_limit);
    link->timer.async_wait([link](const boost::system::error_code &cancelled) {
      if (!cancelled) link->close();
    });
  }

  void start(const link_ptr &link) {
    link->timer.cancel();
    boost::system::error_code ignored;
    link->plain.set_option(tcp::no_delay(true), ignored);
    link->secured->lowest_layer().set_option(tcp::no_delay(true), ignored);
    wire::join_streams(std::move(link->plain), std::move(link->secured), longest_read,
                       std::move(link->counted));
  }

  task<void> take_in(link_ptr link) {
    try {
      limit(link);
      std::array<std::uint8_t, 4> head{};
      co_await asio::async_read(*link->secured, asio::buffer(head), use_awaitable);
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
      const auto certificates = identity->context();
      link->secured = std::make_unique<wire::secured_socket>(tcp::socket(io), *certificates);
      limit(link);
      tcp::resolver resolver(io);
      const auto found = co_await resolver.async_resolve(to.host, std::to_string(to.port), use_awaitable);
      co_await asio::async_connect(link->secured->lowest_layer(), found, use_awaitable);
      co_await link->secured->async_handshake(asio::ssl::stream_base::client, use_awaitable);
      const auto head = head_of(number);
      co_await asio::async_write(*link->secured, asio::buffer(head), use_awaitable);
      start(link);
    } catch (const boost::system::system_error &failed) {
      note(to_string(to) + ": " + text_of(failed));
      link->close();
    }
  }

  void listen(const std::string &host) {
    wire::front_options options;
    options.listen = {host, 0};
    options.identity = identity;
    front = std::make_unique<wire::front>(
        io, std::move(options),
        [this](wire::known_stream stream) {
          auto link = fresh();
          link->secured = std::move(std::get<secured_ptr>(stream));
          if (one.use_count() <= static_cast<long>(most_links))
            asio::co_spawn(io, take_in(std::move(link)), asio::detached);
        },
        [this](const std::string &why) { note("a connection from another process: " + why); });
  }

  task<void> take_own(std::shared_ptr<tcp::acceptor> here, endpoint to, std::uint32_t number) {
    try {
      auto link = fresh();
      co_await here->async_accept(link->plain, use_awaitable);
      here->close();  // it was opened for this one connection
      asio::co_spawn(io, lead_out(std::move(link), to, number), asio::detached);
    } catch (const boost::system::system_error &failed) {
      if (failed.code() != asio::error::operation_aborted)
        note("no connection could be led out: " + text_of(failed));
    }
  }

  asio::io_context io{1};
  std::shared_ptr<wire::tls_identity> identity;
  std::unique_ptr<wire::front> front;
  std::shared_ptr<int> one =
      std::make_shared<int>();  ///< each connection holds a reference, so its use count counts connections
  asio::executor_work_guard<asio::io_context::executor_type> work;
  mutable std::mutex mutex;  ///< guards the two members below
  std::map<std::uint32_t, endpoint> inside;
  std::string problem;
  std::thread thread;
};

tls_tunnel::tls_tunnel(const wire_security &security, const std::string &host) {
  if (security.plain()) throw run_error("a tunnel needs certificates");
  parts_ = std::make_shared<parts>(security);
  auto &self = *parts_;
  try {
    self.listen(host);
  } catch (const boost::system::system_error &failed) {
    throw run_error(
        host + ": error: no port can be opened here for the ranks of a learner: " + failed.code().message());
  }
  self.thread = std::thread([parts = parts_.get()] { parts->io.run(); });
}

tls_tunnel::~tls_tunnel() {
  parts_->io.stop();
  parts_->thread.join();
}

std::uint16_t tls_tunnel::port() const {
  return parts_->front->port();
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
    socket.connect(there);  // this sends nothing, but asks the kernel for a route
    return socket.local_endpoint().address().to_string();
  } catch (const boost::system::system_error &) {
    return any_address;
  }
}

}  // namespace slipstream

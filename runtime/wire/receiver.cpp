#include "runtime/wire/receiver.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "models/error.hpp"
#include "runtime/wire/owner.hpp"
#include "runtime/wire/parent_connection.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds longest_pause{2000};

}  // namespace

void check_parents(const std::vector<endpoint> &parents, const wire_security &security) {
  if (parents.empty()) throw input_error("weights: error: a receiver needs a parent");
  for (const auto &place : parents) check_place(place, security, "weights from " + to_string(place));
}

receiver::receiver(asio::io_context &context, const weight_client_options &options,
                   std::function<void(weight_version)> arrived,
                   std::function<void(const std::string &)> failed, sender *relay)
    : context_(context),
      options_(options),
      arrived_(std::move(arrived)),
      failed_(std::move(failed)),
      relay_(relay),
      machine_(machine_id()) {
  if (options.models.empty()) throw input_error("weights: error: a receiver needs a model");
  identity_ = identity_of(options.security, "weights");
  check_parents(options.parents, options.security);
  check_spool(options.spool, "weights");
  for (const auto &[name, elements] : options.models)
    models_.emplace(name, incoming(elements, options.limits.max_elements, relay != nullptr, options.spool));
  returns_ = std::make_shared<slot_returns>([this] {
    asio::post(context_, [this] {
      for (const auto &[connection, slot] : returns_->take())
        if (parent_ && parent_->number() == connection) parent_->release(slot);
    });
  });
}

receiver::~receiver() {
  returns_->close();
}

void receiver::start() {
  asio::co_spawn(context_, run(), asio::detached);
}

/// Looks for a parent, takes versions from it, and then looks for a parent again.
task<void> receiver::run() {
  std::size_t refusals = 0;
  auto pause = options_.limits.first_retry;
  auto contact = wire_clock::now();
  for (;;) {
    joined_ = refused_ = false;
    const auto place = options_.parents[at_];
    const auto why = co_await serve(place);
    parent_ = nullptr;
    count([](tallies &all) { all.connected = false; });
    if (fatal_) {
      failed_(why);
      co_return;
    }
    if (joined_) {  // it may be back at once, or another may take over
      contact = wire_clock::now();
      pause = options_.limits.first_retry;
    } else if (place == options_.parents[at_]) {  // otherwise the list has changed meanwhile
      at_ = (at_ + 1) % options_.parents.size();
    }
    refusals = refused_ ? refusals + 1 : 0;
    const bool late = wire_clock::now() - contact > options_.limits.patience;
    if (late || refusals >= options_.parents.size()) {
      failed_(
          "error: no weights from " + to_string(place) + ": " + why +
          (late ? "; no server has answered for " + std::to_string(options_.limits.patience.count()) + " ms"
                : ""));
      co_return;
    }
    asio::steady_timer timer(context_, pause);
    error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    pause = std::min(pause * 2, longest_pause);
  }
}

/// A connection to a server that has said who it is.
task<void> receiver::reach(endpoint place, connection_ptr &connection, welcome_text &welcome) {
  tcp_protocol::resolver resolver(context_);
  const auto found =
      co_await resolver.async_resolve(place.host, std::to_string(place.port), asio::use_awaitable);
  wire_stream::socket_variant socket{tcp_protocol::socket(context_)};
  const auto certificates = identity_ ? identity_->context() : nullptr;
  if (certificates) socket = std::make_unique<secured_socket>(tcp_protocol::socket(context_), *certificates);
  connection = std::make_shared<parent_connection>(*this, std::move(socket), connection_number_++);
  connection->watch();
  auto &tcp = connection->stream().tcp();
  co_await asio::async_connect(tcp, found, asio::use_awaitable);
  tcp.set_option(tcp_protocol::no_delay(true));
  co_await connection->stream().handshake(asio::ssl::stream_base::client);
  welcome = co_await connection->greet();
  if (!certificates && !same_user(tcp))
    throw wire_error("a process of another user listens there, and there are no certificates");
}

/// Goes over to the local socket of a server on this machine. Returns false and leaves the connection as it
/// was when that socket cannot be reached, as from another network namespace.
task<bool> receiver::go_local(connection_ptr &connection, welcome_text &welcome) {
  const bool here = !welcome.local_name.empty() && welcome.machine == machine_;
  if (!here || !options_.limits.shared_memory || local_failed_) co_return false;
  auto local =
      std::make_shared<parent_connection>(*this, local_protocol::socket(context_), connection_number_++);
  error_code failed;
  const local_protocol::endpoint name(std::string(1, '\0') + welcome.local_name);
  co_await local->stream().unix_socket().async_connect(name,
                                                       asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return false;
  connection->close("shared memory is nearer");
  connection = local;
  connection->watch();
  welcome = co_await connection->greet();
  co_return true;
}

/// Runs one connection from its beginning to its end; returns why it ended.
task<std::string> receiver::serve(endpoint place) {
  std::string why;
  connection_ptr connection;
  try {
    welcome_text welcome;
    co_await reach(place, connection, welcome);
    const auto token = welcome.token;
    const bool local = co_await go_local(connection, welcome);
    co_await connection->join(welcome, local ? token : unique_id{});
    parent_ = connection;
    joined_ = true;
    count([&](tallies &all) { ++all.connections, all.connected = true, all.parent = to_string(place); });
    if (options_.parents[at_] != place)
      throw wire_error("another parent is nearer");  // told while connecting
    co_await connection->receive();
  } catch (const wire_refusal &problem) {
    refused_ = !joined_;
    why = problem.what();
  } catch (const run_error &problem) {  // another attempt could not mend it
    fatal_ = true;
    why = problem.what();
  } catch (const boost::system::system_error &problem) {
    why = problem.code().message();
  } catch (const std::exception &problem) {
    why = problem.what();
  }
  if (connection) {
    connection->close(why);
    local_failed_ = local_failed_ || (connection->stream().local() && !joined_);  // next time over TCP
  }
  co_return why;
}

void receiver::deliver(weight_version value, wire_clock::time_point since) {
  const std::chrono::duration<double> took = wire_clock::now() - since;
  count([&](tallies &all) {
    all.versions[value.model] = value.version;
    all.seconds = took.count();
  });
  arrived_(std::move(value));
}

void receiver::set_parents(const std::vector<endpoint> &parents) {
  const auto asked = options_.parents[at_];
  options_.parents = parents;
  at_ = 0;
  if (parent_ && asked != parents.front()) parent_->close("another parent is nearer");
}

void receiver::cancel(const std::string &name) {
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.partial()) return;
  auto &model = found->second;
  if (parent_) parent_->cancel(name);
  if (relay_) relay_->withdraw(model.partial(), model.newest());
  model.cancel();
}

nlohmann::json receiver::figures() const {
  const std::lock_guard lock(mutex_);
  return {{"connected", tallies_.connected},      {"parent", tallies_.parent},
          {"connections", tallies_.connections},  {"bytes_received", tallies_.bytes},
          {"chunks_received", tallies_.chunks},   {"chunks_same", tallies_.same},
          {"chunks_resumed", tallies_.resumed},   {"shared", tallies_.shared},
          {"transfer_seconds", tallies_.seconds}, {"versions", tallies_.versions}};
}

}  // namespace slipstream::wire

#include "runtime/wire/sender.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "models/error.hpp"
#include "runtime/wire/owner.hpp"
#include "runtime/wire/reader_connection.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t past_versions = 8;

std::string hexadecimal(const unique_id &id) {
  std::string text;
  for (const unsigned char byte : id) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

}  // namespace

sender::sender(asio::io_context &context, const endpoint &place, const wire_security &security,
               const wire_limits &limits)
    : context_(context), address_(place), limits_(limits), token_(random_id()), machine_(machine_id()) {
  const std::string what = "weights at " + to_string(place);
  auto identity = identity_of(security, what);
  check_place(place, security, what);
  listen(std::move(identity));
  if (limits.shared_memory && machine_ != unique_id{}) listen_locally();
}

sender::~sender() = default;

void sender::listen(std::shared_ptr<tls_identity> identity) {
  front_options options;
  options.listen = address_;
  options.identity = std::move(identity);
  options.strangers = std::min(options.strangers, static_cast<std::size_t>(limits_.max_connections));
  options.handshake = limits_.handshake;
  try {
    front_ = std::make_unique<front>(
        context_, std::move(options),
        [this](known_stream stream) { std::visit([this](auto &known) { begin(std::move(known)); }, stream); },
        [this](const std::string &) { count([](tallies &all) { ++all.refused; }); });
  } catch (const boost::system::system_error &problem) {
    throw run_error("error: weights cannot be served at " + to_string(address_) + ": " +
                    problem.code().message());
  }
  address_.port = front_->port();
}

void sender::listen_locally() {
  local_name_ = "slipstream-weights-" + hexadecimal(random_id());
  local_acceptor_ = std::make_unique<local_protocol::acceptor>(
      context_, local_protocol::endpoint(std::string(1, '\0') + local_name_));
  asio::co_spawn(context_, accept_locally(), asio::detached);
}

task<void> sender::accept_locally() {
  auto &acceptor = *local_acceptor_;
  for (;;) {
    error_code failed;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (!failed && same_local_user(socket.native_handle())) {
      begin(std::move(socket));
      continue;
    }
    if (!failed) count([](tallies &all) { ++all.refused; });
    asio::steady_timer pause(context_, std::chrono::milliseconds(20));  // out of descriptors, or a stranger
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
  }
}

/// Starts a connection of somebody who may be here. The reader says next who it is.
void sender::begin(wire_stream::socket_variant socket) {
  if (connections_.size() >= static_cast<std::size_t>(limits_.max_connections)) {
    count([](tallies &all) { ++all.refused; });
    return;
  }
  auto connection = std::make_shared<reader_connection>(*this, std::move(socket), next_reader_++);
  connections_.insert(connection);
  count([&](tallies &all) { all.connections = connections_.size(); });
  connection->start();
}

void sender::ended(reader_connection *who) {
  slots_.forget(who);
  std::erase_if(connections_, [&](const auto &one) { return one.get() == who; });
  count([&](tallies &all) { all.connections = connections_.size(); });
  count_held();
}

void sender::offer(const source_ptr &source) {
  const auto &value = source->value();
  auto &last = past_[value.model];
  last.push_back({source->origin(), value.version, source->table()});
  if (last.size() > past_versions) last.pop_front();
  newest_[value.model] = source;
  alive_.push_back(source);
  std::set<const version_source *> kept;
  for (const auto &[model, newest] : newest_) kept.insert(newest.get());
  slots_.drop_content_except(kept);
  count_held();
  wake();
}

void sender::withdraw(const source_ptr &source, const source_ptr &instead) {
  source->cancel();
  const auto found = newest_.find(source->value().model);
  if (found != newest_.end() && found->second == source) {
    if (instead)
      found->second = instead;
    else
      newest_.erase(found);
  }
  wake();
}

void sender::wake() {
  for (const auto &connection : connections_) connection->wake();
}

void sender::close(const std::string &why) {
  error_code ignored;
  front_->close();
  if (local_acceptor_) local_acceptor_->close(ignored);
  for (const auto &connection : connections_) connection->close(why);
}

std::shared_ptr<const chunk_table> sender::table_of(const std::string &model, const unique_id &origin,
                                                    std::int64_t version) const {
  const auto found = past_.find(model);
  if (found == past_.end()) return nullptr;
  for (const auto &one : found->second)
    if (one.origin == origin && one.version == version) return one.table;
  return nullptr;
}

void sender::count_held() {
  std::erase_if(alive_, [](const auto &one) { return one.expired(); });
  count([&](tallies &all) { all.held = alive_.size(); });
}

nlohmann::json sender::figures() const {
  const std::lock_guard lock(mutex_);
  auto readers = nlohmann::json::array();
  for (const auto &[number, row] : tallies_.readers)
    for (const auto &[model, version] : row.versions)
      readers.push_back({{"name", row.name}, {"model", model}, {"version", version}});
  return {{"connections", tallies_.connections}, {"refused", tallies_.refused},
          {"bytes_sent", tallies_.bytes},        {"chunks_sent", tallies_.chunks},
          {"chunks_same", tallies_.same},        {"shared", tallies_.shared},
          {"versions_held", tallies_.held},      {"readers", std::move(readers)}};
}

}  // namespace slipstream::wire

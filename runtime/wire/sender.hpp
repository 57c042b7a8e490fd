#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "runtime/wire/front.hpp"
#include "runtime/wire/shared_memory.hpp"
#include "runtime/wire/stream.hpp"
#include "runtime/wire/version_source.hpp"

namespace slipstream::wire {

class reader_connection;

/// Gives versions to whoever connects: the serving half of a learner's server and of a relay. Only the thread
/// that runs the context may use it, except for the constructor, address() and figures(). The context
/// outlives it, and the coroutines that are left there never touch it again.
class sender {
 public:
  /// Listens. Throws input_error or run_error as weight_server says.
  sender(boost::asio::io_context &context, const endpoint &listen, const wire_security &security,
         const wire_limits &limits);
  ~sender();

  endpoint address() const { return address_; }
  /// Makes this the newest version of its model. Its chunks may still be arriving.
  void offer(const source_ptr &source);
  /// Takes a version back, and tells the readers that are in the middle of it. `instead` becomes the newest
  /// version again; null: none does.
  void withdraw(const source_ptr &source, const source_ptr &instead);
  /// Goes on with sending: more chunks of an arriving version are there.
  void wake();
  void close(const std::string &why);
  nlohmann::json figures() const;

 private:
  friend class reader_connection;
  struct reader_row {
    std::string name;
    std::map<std::string, std::int64_t> versions;
  };
  struct tallies {
    std::int64_t refused = 0, bytes = 0, chunks = 0, same = 0, shared = 0;
    std::map<std::uint64_t, reader_row> readers;
    std::size_t connections = 0, held = 0;
  };

  void listen(std::shared_ptr<tls_identity> identity);
  void listen_locally();
  task<void> accept_locally();
  void begin(wire_stream::socket_variant socket);
  void ended(reader_connection *who);
  std::shared_ptr<const chunk_table> table_of(const std::string &model, const unique_id &origin,
                                              std::int64_t version) const;
  template <class Change>
  void count(Change change) {
    const std::lock_guard lock(mutex_);
    change(tallies_);
  }
  void count_held();

  boost::asio::io_context &context_;
  endpoint address_;
  wire_limits limits_;
  std::unique_ptr<front> front_;
  std::unique_ptr<local_protocol::acceptor> local_acceptor_;
  std::string local_name_;
  unique_id token_, machine_;
  std::map<std::string, source_ptr> newest_;
  /// The checksums of a recent version: a reader that holds this version needs only the chunks that differ.
  struct past_version {
    unique_id origin;
    std::int64_t version;
    std::shared_ptr<const chunk_table> table;
  };
  std::map<std::string, std::deque<past_version>> past_;
  std::vector<std::weak_ptr<version_source>> alive_;
  slot_store slots_;
  sums_thread sums_;
  std::set<std::shared_ptr<reader_connection>> connections_;
  std::uint64_t next_reader_ = 0;
  mutable std::mutex mutex_;
  tallies tallies_;
};

}  // namespace slipstream::wire

#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/wire/incoming.hpp"
#include "runtime/wire/sender.hpp"

namespace slipstream::wire {

class parent_connection;

/// Throws input_error for an empty list, and for an address off this machine where there are no certificates.
void check_parents(const std::vector<endpoint> &parents, const wire_security &security);

/// Takes versions from a parent: it connects, connects again when the connection breaks, and says when it
/// gives up. Only the thread that runs the context may use it, except for the constructor and figures().
class receiver {
 public:
  /// `relay`: gets what arrives, chunk by chunk; null for a leaf. Throws input_error as weight_client says.
  receiver(boost::asio::io_context &context, const weight_client_options &options,
           std::function<void(weight_version)> arrived, std::function<void(const std::string &)> failed,
           sender *relay);
  ~receiver();
  void start();
  /// Replaces the parents and goes over to the first of them.
  void set_parents(const std::vector<endpoint> &parents);
  void cancel(const std::string &model);
  nlohmann::json figures() const;

 private:
  friend class parent_connection;
  struct tallies {
    std::int64_t connections = 0, bytes = 0, chunks = 0, same = 0, resumed = 0, shared = 0;
    double seconds = 0;
    bool connected = false;
    std::string parent;
    std::map<std::string, std::int64_t> versions;
  };
  template <class Change>
  void count(Change change) {
    const std::lock_guard lock(mutex_);
    change(tallies_);
  }
  task<void> run();
  using connection_ptr = std::shared_ptr<parent_connection>;
  task<std::string> serve(endpoint place);
  task<void> reach(endpoint place, connection_ptr &connection, welcome_text &welcome);
  task<bool> go_local(connection_ptr &connection, welcome_text &welcome);
  void deliver(weight_version value, wire_clock::time_point since);

  boost::asio::io_context &context_;
  weight_client_options options_;
  std::function<void(weight_version)> arrived_;
  std::function<void(const std::string &)> failed_;
  sender *relay_;
  std::shared_ptr<tls_identity> identity_;
  unique_id machine_;
  std::map<std::string, incoming> models_;
  std::shared_ptr<slot_returns> returns_;
  std::shared_ptr<parent_connection> parent_;
  std::size_t at_ = 0;  ///< index of the parent that is asked now
  std::uint64_t connection_number_ = 0;
  bool joined_ = false, refused_ = false, fatal_ = false, local_failed_ = false;
  mutable std::mutex mutex_;
  tallies tallies_;
};

}  // namespace slipstream::wire

#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::wire {

/// The three files by which a process proves who it is and checks others, read once. When the files change
/// (certificates were renewed), they are taken over as soon as they are sound together; until then what was
/// read stays in use, and one line on standard error says why. Any thread may use an identity.
class tls_identity {
 public:
  using context_ptr = std::shared_ptr<boost::asio::ssl::context>;

  /// Throws input_error like check_security, with a line that begins with `what`.
  tls_identity(wire_security security, const std::string &what,
               std::chrono::milliseconds look_every = std::chrono::seconds(1));

  /// The context for one new connection, which must hold it until its handshake is complete.
  context_ptr context();

 private:
  struct stamp {
    bool there = false;
    ino_t number = 0;
    off_t size = 0;
    std::int64_t written_ns = 0, changed_ns = 0;
    bool operator==(const stamp &) const = default;
  };
  using stamps = std::array<stamp, 3>;

  stamps look() const;
  void renew(const stamps &seen);

  const wire_security security_;
  const std::chrono::milliseconds look_every_;
  std::mutex mutex_;
  context_ptr context_;
  stamps taken_, refused_;  ///< the files' stamps when they were read, and when they were found unsound
  std::chrono::steady_clock::time_point looked_;
};

/// Returns the identity of these files. The first caller in this process has them read, and later callers
/// share the identity for as long as anybody holds it. Null for plain security. Throws like the constructor
/// when it reads the files.
std::shared_ptr<tls_identity> identity_of(const wire_security &security, const std::string &what);

}  // namespace slipstream::wire

#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "runtime/wire/identity.hpp"

// A front is the one door of a process: whoever connects proves here who it is, before any other part of the
// process hears of the connection.
namespace slipstream::wire {

/// A connection whose other side has proved who it is: by a certificate, or, in plain text within this
/// machine, as a process of the same user.
using known_stream = std::variant<boost::asio::ip::tcp::socket,
                                  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket>>>;

/// What a front does, and what it lets strangers cost. A stranger costs a socket and, while it proves who it
/// is, less than 64 KB.
struct front_options {
  endpoint listen;
  std::shared_ptr<tls_identity> identity;     ///< null: plain text, on a loopback address only
  std::string first_words;                    ///< what the other side has to send first; the front reads it
  std::size_t strangers = 64;                 ///< connections at once that have not proved who they are
  double handshakes = 50;                     ///< handshakes that may begin in a second
  std::chrono::milliseconds handshake{3000};  ///< the time to prove who it is
};

/// Listens, and hands on connections whose other side has proved who it is. Only the thread that runs the
/// context uses a front, unless a member says otherwise.
class front {
 public:
  /// Listens at once. `take` gets each stream; an exception from it ends that stream only. `refused`, which
  /// may be empty, is told why a connection was not let in. Throws boost::system::system_error where the
  /// address cannot be listened at, input_error where it must not be.
  front(boost::asio::io_context &context, front_options options, std::function<void(known_stream)> take,
        std::function<void(const std::string &why)> refused = {});
  /// Closes. Any thread may do that when no thread runs the context.
  ~front();
  front(const front &) = delete;
  front &operator=(const front &) = delete;

  /// The port that it listens at. Any thread may ask.
  std::uint16_t port() const;
  /// Stops listening and ends all connections whose other side has not proved who it is.
  void close();

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

}  // namespace slipstream::wire

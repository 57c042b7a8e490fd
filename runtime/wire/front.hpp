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

// The one door of a process: whoever connects proves here who it is, before anybody else hears of it.
namespace slipstream::wire {

/// A connection to whoever has proved who it is: by a certificate; or in plain text, within this machine, as
/// a process of the same user.
using known_stream = std::variant<boost::asio::ip::tcp::socket,
                                  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket>>>;

/// What a front does, and what it puts up with. A stranger costs a socket, and while it proves who it is less
/// than 64 KB.
struct front_options {
  endpoint listen;
  std::shared_ptr<tls_identity> identity;     ///< null: plain text, on a loopback address only
  std::string first_words;                    ///< that the other side has to say first; they are read here
  std::size_t strangers = 64;                 ///< at once that have not proved who they are
  double handshakes = 50;                     ///< that may begin in a second
  std::chrono::milliseconds handshake{3000};  ///< to prove it
};

/// Listens, and hands on who has proved who it is. All of it belongs to the thread that runs the context.
class front {
 public:
  /// Listens at once. `take` gets each stream; what it throws ends that stream only. `refused`, which may be
  /// empty, hears why somebody was not let in. Throws boost::system::system_error where the place cannot be
  /// had, input_error where it must not be.
  front(boost::asio::io_context &context, front_options options, std::function<void(known_stream)> take,
        std::function<void(const std::string &why)> refused = {});
  /// Closes. Any thread, when none runs the context.
  ~front();
  front(const front &) = delete;
  front &operator=(const front &) = delete;

  /// The port that was found. Any thread.
  std::uint16_t port() const;
  /// Listens no longer and ends all who have not proved who they are.
  void close();

 private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

}  // namespace slipstream::wire

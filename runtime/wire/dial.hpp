#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>

#include "runtime/wire/front.hpp"

namespace slipstream::wire {

/// A connection to a front, and the first bytes that the front sent.
struct dialled {
  known_stream stream;
  std::string said;
};

/// Connects to a front, sends `first_words`, and waits until the front answers: only then do we know that it
/// has let us in. Each step may take `step`. Throws run_error, whose text says why there is no connection.
boost::asio::awaitable<dialled> dial(boost::asio::io_context &context, endpoint place,
                                     std::shared_ptr<tls_identity> identity, std::string first_words,
                                     std::chrono::milliseconds step);

}  // namespace slipstream::wire

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>

#include "runtime/wire/front.hpp"

namespace slipstream::wire {

/// A connection to a front, and what was said there first.
struct dialled {
  known_stream stream;
  std::string said;
};

/// Connects to a front, says `first_words`, and waits until it says something: only then is it known that we
/// were let in. Each step may take `step`. Throws run_error, which says why there is no connection.
boost::asio::awaitable<dialled> dial(boost::asio::io_context &context, endpoint place,
                                     std::shared_ptr<tls_identity> identity, std::string first_words,
                                     std::chrono::milliseconds step);

}  // namespace slipstream::wire

#pragma once

#include <memory>

#include "runtime/wire/stream.hpp"

namespace slipstream::wire {

/// Makes the TLS handshake with a client that is not known yet, on the socket itself: only clients that are
/// let in get the buffers of Asio's stream (68 KB). Throws boost::system::system_error or wire_error; the
/// caller owns the socket until this returns.
task<std::unique_ptr<secured_socket>> accept_secured(tcp_protocol::socket &socket,
                                                     boost::asio::ssl::context &context);

}  // namespace slipstream::wire

#pragma once

#include <memory>

#include "runtime/wire/stream.hpp"

namespace slipstream::wire {

/// TLS with a client that is not known yet, on the socket itself: the buffers of Asio's stream (68 KB) are
/// for those who are let in. Throws boost::system::system_error or wire_error; the socket is the caller's
/// until it returns.
task<std::unique_ptr<secured_socket>> accept_secured(tcp_protocol::socket &socket,
                                                     boost::asio::ssl::context &context);

}  // namespace slipstream::wire

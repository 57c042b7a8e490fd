#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace slipstream::wire {

/// Whether the process at the other end of a connection within this machine is one of our user's, by the
/// kernel's table of connections (/proc/net/tcp). False where the table has no living owner, or cannot be
/// read.
bool same_user(const boost::asio::ip::tcp::endpoint &theirs, const boost::asio::ip::tcp::endpoint &ours);

/// The same of a connected socket.
bool same_user(const boost::asio::ip::tcp::socket &socket);

/// Whether the process at the other end of a connected Unix socket is of our user (SO_PEERCRED).
bool same_local_user(int socket);

}  // namespace slipstream::wire

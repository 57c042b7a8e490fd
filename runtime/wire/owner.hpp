#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace slipstream::wire {

/// Whether the process at the other end of a connection within this machine belongs to our user, as the
/// kernel's table of connections (/proc/net/tcp) tells. False where the table has no living owner, or cannot
/// be read.
bool same_user(const boost::asio::ip::tcp::endpoint &theirs, const boost::asio::ip::tcp::endpoint &ours);

/// Answers the same for a connected socket.
bool same_user(const boost::asio::ip::tcp::socket &socket);

/// Whether the process at the other end of a connected Unix socket belongs to our user (SO_PEERCRED).
bool same_local_user(int socket);

}  // namespace slipstream::wire

#pragma once

#include <openssl/types.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::wire {

/// Makes a context for TLS 1.3 with certificates on both sides. The other side's must be signed by the
/// authority and, where the list of names is not empty, bear one of them. The files must have passed
/// check_security(). Null for plain security.
std::shared_ptr<boost::asio::ssl::context> tls_context(const wire_security &security);

/// The node's name in the certificate of the other side; empty without one.
std::string certificate_name(SSL *connection);

/// Says what a failed handshake means to whoever runs the nodes.
std::string tls_failure(const boost::system::error_code &code);

}  // namespace slipstream::wire

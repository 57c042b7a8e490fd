#pragma once

#include <openssl/types.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "runtime/wire/endpoint.hpp"

namespace slipstream::wire {

/// TLS 1.3 with certificates on both sides, which must be signed by the authority and, where the list is not
/// empty, bear one of its names. The files were checked (check_security). Null for plain security.
std::shared_ptr<boost::asio::ssl::context> tls_context(const wire_security &security);

/// The node's name in the certificate of the other side; empty without one.
std::string certificate_name(SSL *connection);

/// What a failed handshake means for whoever runs the nodes.
std::string tls_failure(const boost::system::error_code &code);

}  // namespace slipstream::wire

#include "runtime/wire/tls.hpp"

#include <openssl/ssl.h>

#include <algorithm>

#include "runtime/wire/certificates.hpp"

namespace slipstream::wire {

namespace ssl = boost::asio::ssl;

namespace {

constexpr long longest_certificates = 1 << 14;  ///< bytes of certificates that a stranger may have us read

}  // namespace

std::shared_ptr<ssl::context> tls_context(const wire_security &security) {
  if (security.plain()) return nullptr;
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context->native_handle(), 0);
  SSL_CTX_set_max_cert_list(context->native_handle(), longest_certificates);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  context->use_certificate_chain_file(security.certificate);
  context->use_private_key_file(security.key, ssl::context::pem);
  context->load_verify_file(security.authority);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  context->set_verify_callback([names = security.names](bool trusted, ssl::verify_context &verified) {
    if (!trusted) return false;
    X509_STORE_CTX *store = verified.native_handle();
    if (X509_STORE_CTX_get_error_depth(store) > 0 || names.empty()) return true;
    const auto name = node_name(X509_STORE_CTX_get_current_cert(store));
    if (std::find(names.begin(), names.end(), name) != names.end()) return true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return false;
  });
  return context;
}

std::string certificate_name(SSL *connection) {
  X509 *certificate = SSL_get1_peer_certificate(connection);
  if (!certificate) return {};
  const auto name = node_name(certificate);
  X509_free(certificate);
  return name;
}

std::string tls_failure(const boost::system::error_code &code) {
  return "TLS: " + code.message() +
         ": both sides need certificates of one authority, in date, with a name that the other side's list "
         "has";
}

}  // namespace slipstream::wire

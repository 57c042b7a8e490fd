#include "runtime/wire/certificates.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "models/error.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/wire/endpoint.hpp"

namespace slipstream {
namespace {

template <auto Free>
struct freed {
  template <class T>
  void operator()(T *what) const {
    Free(what);
  }
};
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using private_key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free_all>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed<X509_STORE_free>>;
using store_context_ptr = std::unique_ptr<X509_STORE_CTX, freed<X509_STORE_CTX_free>>;

/// Returns what OpenSSL answered. Throws where that is nothing.
template <class T>
T needed(T result, const char *what) {
  if (!result) throw run_error(std::string("error: OpenSSL cannot ") + what);
  return result;
}

[[noreturn]] void unreadable(const std::string &what, const std::string &file, const char *role,
                             const std::string &why) {
  throw input_error(what + ": error: " + file + ": the " + role + " " + why);
}

bio_ptr opened(const std::string &file, const std::string &what, const char *role) {
  if (file.empty())
    throw input_error(
        what + ": error: no " + role +
        " is given; certificate, key and authority belong together (slipstream certs makes them)");
  if (std::error_code problem; std::filesystem::is_directory(file, problem))
    unreadable(what, file, role, "is a folder; give the file");
  bio_ptr bio(BIO_new_file(file.c_str(), "r"));
  if (!bio) unreadable(what, file, role, std::string("cannot be read: ") + std::strerror(errno));
  return bio;
}

certificate_ptr read_certificate(const std::string &file, const std::string &what, const char *role) {
  const auto bio = opened(file, what, role);
  certificate_ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) unreadable(what, file, role, "is no certificate in PEM; slipstream certs makes one");
  return certificate;
}

private_key_ptr read_key(const std::string &file, const std::string &what) {
  const auto bio = opened(file, what, "key");
  // A key with a password must not ask on a terminal that nobody looks at.
  const auto no_password = [](char *, int, int, void *) { return -1; };
  private_key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key)
    unreadable(what, file, "key", "is no private key in PEM without a password; slipstream certs makes one");
  return key;
}

void check_dates(X509 *certificate, const std::string &file, const char *role, const std::string &what) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    unreadable(what, file, role, "is out of date; remove it and make a new one with slipstream certs");
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
    unreadable(what, file, role, "is not valid yet; is this machine's clock right?");
}

/// Comes to the same verdict as a handshake does.
bool signed_by(X509 *certificate, X509 *authority, std::string &why) {
  const store_ptr store(X509_STORE_new());
  const store_context_ptr context(X509_STORE_CTX_new());
  needed(store && context && X509_STORE_add_cert(store.get(), authority) == 1 &&
             X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) == 1,
         "check a certificate");
  const bool trusted = X509_verify_cert(context.get()) == 1;
  if (!trusted) why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  ERR_clear_error();
  return trusted;
}

void add_extension(X509 *to, X509 *issuer, int kind, const std::string &value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_ptr extension(
      needed(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), "write a certificate"));
  needed(X509_add_ext(to, extension.get(), -1), "write a certificate");
}

struct identity {
  certificate_ptr certificate;
  private_key_ptr key;
};

/// Makes a fresh key and a certificate for it that nobody has signed yet.
identity fresh(const std::string &name, int days) {
  identity made{certificate_ptr(needed(X509_new(), "make a certificate")),
                private_key_ptr(needed(EVP_EC_gen("P-256"), "make a key"))};
  X509 *certificate = made.certificate.get();
  unsigned char serial[16];
  needed(RAND_bytes(serial, sizeof serial) == 1, "draw a serial number");
  serial[0] &= 0x7f;
  const std::unique_ptr<BIGNUM, freed<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  needed(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)),
         "number a certificate");
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);  // clocks of nodes differ
  X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, nullptr);
  X509_set_pubkey(certificate, made.key.get());
  needed(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char *>(name.c_str()), -1, -1, 0),
         "name a certificate");
  return made;
}

void sign(X509 *certificate, X509 *issuer, EVP_PKEY *key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
  needed(X509_sign(certificate, key, EVP_sha256()), "sign a certificate");
}

void write_new(const std::filesystem::path &file, BIO *content, mode_t mode) {
  char *text = nullptr;
  const auto size = BIO_get_mem_data(content, &text);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0)
    throw input_error(file.string() + ": error: cannot be written: " + std::strerror(errno));
  try {
    write_all(descriptor, {text, static_cast<std::size_t>(size)}, file);
  } catch (...) {
    ::close(descriptor);
    ::unlink(file.c_str());
    throw;
  }
  ::close(descriptor);
}

void write_identity(const std::filesystem::path &folder, const std::string &stem, const identity &made) {
  const bio_ptr key(BIO_new(BIO_s_mem())), certificate(BIO_new(BIO_s_mem()));
  needed(PEM_write_bio_PrivateKey(key.get(), made.key.get(), nullptr, nullptr, 0, nullptr, nullptr),
         "write a key");
  needed(PEM_write_bio_X509(certificate.get(), made.certificate.get()), "write a certificate");
  write_new(folder / (stem + ".key"), key.get(), 0600);
  write_new(folder / (stem + ".pem"), certificate.get(), 0644);
}

identity authority_of(const std::filesystem::path &folder) {
  const auto certificate = folder / "ca.pem", key = folder / "ca.key";
  if (std::filesystem::exists(certificate) || std::filesystem::exists(key)) {
    identity known{read_certificate(certificate, "slipstream certs", "authority"),
                   read_key(key, "slipstream certs")};
    if (X509_check_private_key(known.certificate.get(), known.key.get()) != 1)
      throw input_error(key.string() + ": error: is not the key of " + certificate.string() +
                        "; remove both to begin with a new authority");
    return known;
  }
  auto made = fresh("slipstream authority", 3650);
  add_extension(made.certificate.get(), made.certificate.get(), NID_basic_constraints,
                "critical,CA:TRUE,pathlen:0");
  add_extension(made.certificate.get(), made.certificate.get(), NID_key_usage,
                "critical,keyCertSign,cRLSign");
  sign(made.certificate.get(), made.certificate.get(), made.key.get());
  write_identity(folder, "ca", made);
  return made;
}

void check_name(const std::string &name) {
  const bool plain = !name.empty() && name.size() <= 63 && name.front() != '-' && name.front() != '.' &&
                     std::all_of(name.begin(), name.end(), [](unsigned char letter) {
                       return std::isalnum(letter) || letter == '-' || letter == '_' || letter == '.';
                     });
  if (!plain || name == "ca")
    throw input_error("slipstream certs: error: \"" + name +
                      "\" is no name for a node: letters, digits, -, _ and . (63 at most, and not \"ca\")");
}

}  // namespace

void make_certificates(const std::filesystem::path &folder, const std::vector<std::string> &names, int days) {
  for (const auto &name : names) {
    check_name(name);
    for (const char *ending : {".pem", ".key"})
      if (const auto file = folder / (name + ending); std::filesystem::exists(file))
        throw input_error(file.string() + ": error: is there already; remove it to make a new one");
    if (std::count(names.begin(), names.end(), name) > 1)
      throw input_error("slipstream certs: error: \"" + name + "\" is there twice");
  }
  make_folder(folder);
  const auto authority = authority_of(folder);
  for (const auto &name : names) {
    auto made = fresh(name, days);
    X509 *certificate = made.certificate.get(), *issuer = authority.certificate.get();
    add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(certificate, issuer, NID_subject_alt_name, "DNS:" + name);
    sign(certificate, issuer, authority.key.get());
    write_identity(folder, name, made);
  }
}

void check_security(const wire_security &security, const std::string &what) {
  if (security.plain()) return;
  const auto certificate = read_certificate(security.certificate, what, "certificate");
  const auto key = read_key(security.key, what);
  const auto authority = read_certificate(security.authority, what, "authority");
  struct stat file {};
  if (::stat(security.key.c_str(), &file) == 0 && (file.st_mode & 077) != 0)
    unreadable(what, security.key, "key", "may be read by others; chmod 600 " + security.key);
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    unreadable(what, security.key, "key", "does not belong to " + security.certificate);
  ERR_clear_error();
  check_dates(authority.get(), security.authority, "authority", what);
  check_dates(certificate.get(), security.certificate, "certificate", what);
  if (std::string why; !signed_by(certificate.get(), authority.get(), why))
    unreadable(what, security.certificate, "certificate",
               "is not signed by " + security.authority + " (" + why +
                   "); take both from one folder of slipstream certs");
}

namespace wire {

std::string node_name(X509 *certificate) {
  std::string result;
  if (!certificate) return result;
  auto *names =
      static_cast<GENERAL_NAMES *>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; result.empty() && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    result.assign(reinterpret_cast<const char *>(ASN1_STRING_get0_data(name->d.dNSName)),
                  static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  if (!result.empty()) return result;
  char text[256];
  const int size =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace wire
}  // namespace slipstream

#include "runtime/wire/identity.hpp"

#include <sys/stat.h>

#include <map>
#include <tuple>
#include <utility>

#include "models/error.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/wire/tls.hpp"

namespace slipstream::wire {

tls_identity::tls_identity(wire_security security, const std::string &what,
                           std::chrono::milliseconds look_every)
    : security_(std::move(security)), look_every_(look_every), looked_(std::chrono::steady_clock::now()) {
  taken_ = look();
  check_security(security_, what);
  context_ = tls_context(security_);
}

tls_identity::stamps tls_identity::look() const {
  stamps all;
  std::size_t i = 0;
  for (const auto *file : {&security_.certificate, &security_.key, &security_.authority}) {
    struct stat found {};
    auto &stamp = all[i++];
    if (::stat(file->c_str(), &found) != 0) continue;
    const auto ns = [](const timespec &time) {
      return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    stamp = {true, found.st_ino, found.st_size, ns(found.st_mtim), ns(found.st_ctim)};
  }
  return all;
}

tls_identity::context_ptr tls_identity::context() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < look_every_) return context_;
  looked_ = now;
  if (const auto seen = look(); seen != taken_ && seen != refused_) renew(seen);
  return context_;
}

void tls_identity::renew(const stamps &seen) {
  std::string why;
  try {
    check_security(security_, "renewed certificates");
    auto next = tls_context(security_);
    if (look() != seen) return;  // somebody is writing them: the next look decides
    context_ = std::move(next);
    taken_ = seen;
    refused_ = {};
    return;
  } catch (const std::exception &problem) {
    why = problem.what();
  }
  refused_ = seen;
  say("warning: the certificates that were read before stay in use: " + why + "\n");
}

std::shared_ptr<tls_identity> identity_of(const wire_security &security, const std::string &what) {
  if (security.plain()) return nullptr;
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::string, std::string, std::vector<std::string>>,
                  std::weak_ptr<tls_identity>>
      known;
  const std::lock_guard lock(mutex);
  std::erase_if(known, [](const auto &entry) { return entry.second.expired(); });
  auto &place = known[{security.certificate, security.key, security.authority, security.names}];
  if (auto found = place.lock()) return found;
  auto made = std::make_shared<tls_identity>(security, what);
  place = made;
  return made;
}

}  // namespace slipstream::wire

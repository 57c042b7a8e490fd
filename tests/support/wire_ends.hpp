#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "runtime/wire/weight_stream.hpp"

namespace slipstream::test {

inline const endpoint anywhere{"127.0.0.1", 0};

/// Limits of a test: streams only, small chunks, quick retries.
inline wire_limits stream_limits() {
  wire_limits limits;
  limits.shared_memory = false;
  limits.chunk_bytes = 1 << 16;
  limits.first_retry = std::chrono::milliseconds(5);
  return limits;
}

/// Distinct values, which depend on the version.
inline at::Tensor weights(std::int64_t elements, std::int64_t version) {
  return at::arange(elements, at::kFloat).add_(static_cast<double>(version) * 0.5);
}

/// A client and what it was told.
class receiving_end {
 public:
  explicit receiving_end(weight_client_options options) {
    client = std::make_unique<weight_client>(
        std::move(options),
        [this](weight_version version) {
          const std::lock_guard lock(mutex_);
          arrived_.push_back(std::move(version));
          changed_.notify_all();
        },
        [this](const std::string &why) {
          const std::lock_guard lock(mutex_);
          failed_ = why;
          changed_.notify_all();
        });
  }
  ~receiving_end() { client.reset(); }

  /// A client of one parent for the model "policy".
  static weight_client_options options(const endpoint &parent, const wire_limits &limits = stream_limits()) {
    weight_client_options result;
    result.parents = {parent};
    result.models = {{"policy", 0}};
    result.name = "reader";
    result.limits = limits;
    return result;
  }

  /// Waits for a version; an undefined tensor when it does not come.
  weight_version wait(std::int64_t version, const std::string &model = "policy") {
    std::unique_lock lock(mutex_);
    const auto found = [&]() -> const weight_version * {
      for (const auto &one : arrived_)
        if (one.model == model && one.version == version) return &one;
      return nullptr;
    };
    changed_.wait_for(lock, patience, [&] { return found() != nullptr || !failed_.empty(); });
    return found() ? *found() : weight_version{};
  }
  /// Waits for the end; empty when it does not come.
  std::string wait_failed() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return !failed_.empty(); });
    return failed_;
  }
  std::vector<std::int64_t> versions() {
    const std::lock_guard lock(mutex_);
    std::vector<std::int64_t> all;
    for (const auto &one : arrived_) all.push_back(one.version);
    return all;
  }
  std::vector<weight_version> all() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }
  /// Keeps the versions' numbers, not their tensors.
  void let_go() {
    const std::lock_guard lock(mutex_);
    for (auto &one : arrived_) one.flat = at::Tensor();
  }
  std::int64_t figure(const char *name) const { return client->figures().at(name).get<std::int64_t>(); }

  std::unique_ptr<weight_client> client;
  static constexpr std::chrono::seconds patience{30};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<weight_version> arrived_;
  std::string failed_;
};

/// Whether it comes true within half a minute.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + receiving_end::patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace slipstream::test

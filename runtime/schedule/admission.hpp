#pragma once

#include <cstdint>

namespace slipstream {

/// The admission rule (AReaL, arXiv:2505.24298): with a rollouts accepted so far (trained ones included) and
/// r running, one more is admitted while floor((a + r) / batch) <= version + eta. The version is the one that
/// the sampler holds. Dropped rollouts leave the count, or the run would starve. Counts rollouts; a group is
/// admitted whole where batch is a multiple of it.
class admission {
 public:
  /// `batch` rollouts make a version; `eta` is the lead in versions. Throws input_error for batch < 1 or eta
  /// < 0.
  admission(std::int64_t batch, std::int64_t eta);

  /// Whether one more may start now.
  bool can_admit() const { return admits(batch_, eta_, accepted_ + running_, version_); }
  /// How many may start now, before any of them finishes.
  std::int64_t room() const;
  /// The oldest version that may make a token of the next one admitted: max(0, its batch - eta).
  std::int64_t min_version() const;

  /// Starts `rollouts` if all of them fit; else changes nothing and returns false.
  bool admit(std::int64_t rollouts = 1);
  /// Running ones ended well, or were dropped before they did.
  void accept(std::int64_t rollouts = 1);
  void drop_running(std::int64_t rollouts = 1);
  /// Accepted ones were dropped before training (late, or of no use).
  void drop_accepted(std::int64_t rollouts = 1);
  /// The sampler holds this version now; versions never go back.
  void advance_to(std::int64_t version);

  std::int64_t accepted() const { return accepted_; }
  std::int64_t running() const { return running_; }
  std::int64_t version() const { return version_; }

  /// The rule itself.
  static bool admits(std::int64_t batch, std::int64_t eta, std::int64_t started, std::int64_t version) {
    return started / batch <= version + eta;
  }

 private:
  std::int64_t batch_;
  std::int64_t eta_;
  std::int64_t accepted_ = 0;
  std::int64_t running_ = 0;
  std::int64_t version_ = 0;
};

}  // namespace slipstream

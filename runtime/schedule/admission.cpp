#include "runtime/schedule/admission.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "models/error.hpp"

namespace slipstream {
namespace {

/// A count that would become negative is a fault of the caller, not of the input.
void take(std::int64_t &count, std::int64_t rollouts, const char *what) {
  if (rollouts < 0 || rollouts > count)
    throw std::logic_error("admission: " + std::to_string(rollouts) + " of " + std::to_string(count) + " " +
                           what + " rollouts");
  count -= rollouts;
}

}  // namespace

admission::admission(std::int64_t batch, std::int64_t eta) : batch_(batch), eta_(eta) {
  if (batch < 1) throw input_error("schedule.batch = " + std::to_string(batch) + " must be at least 1");
  if (eta < 0) throw input_error("the admission lead " + std::to_string(eta) + " must not be negative");
}

std::int64_t admission::room() const {
  return std::max<std::int64_t>(0, (version_ + eta_ + 1) * batch_ - accepted_ - running_);
}

std::int64_t admission::min_version() const {
  return std::max<std::int64_t>(0, (accepted_ + running_) / batch_ - eta_);
}

bool admission::admit(std::int64_t rollouts) {
  if (rollouts < 1 || rollouts > room()) return false;
  running_ += rollouts;
  return true;
}

void admission::accept(std::int64_t rollouts) {
  take(running_, rollouts, "running");
  accepted_ += rollouts;
}

void admission::drop_running(std::int64_t rollouts) {
  take(running_, rollouts, "running");
}
void admission::drop_accepted(std::int64_t rollouts) {
  take(accepted_, rollouts, "accepted");
}

void admission::advance_to(std::int64_t version) {
  version_ = std::max(version_, version);
}

}  // namespace slipstream

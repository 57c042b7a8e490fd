#include "runtime/wire/strangers.hpp"

#include <algorithm>
#include <tuple>

namespace slipstream::wire {

namespace ip = boost::asio::ip;

namespace {

constexpr std::size_t most_remembered = 1024;  ///< addresses that had turns

/// Addresses that one machine can give itself count as one: with IPv6 those that differ in the last 64 bits
/// only.
ip::address neighbourhood(const ip::address &address) {
  if (!address.is_v6()) return address;
  if (address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  auto bytes = address.to_v6().to_bytes();
  if (!address.is_loopback()) std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes);
}

}  // namespace

strangers::strangers(std::size_t most, double turns)
    : most_(std::max<std::size_t>(most, 1)),
      rate_(turns),
      most_turns_(std::max(1.0, turns / 5)),
      left_(most_turns_) {}

std::optional<std::uint64_t> strangers::come(std::uint64_t number, const ip::address &from) {
  here_[number].from = neighbourhood(from);
  if (here_.size() <= most_) return std::nullopt;
  return worst(number);
}

void strangers::wait(std::uint64_t number) {
  const auto found = here_.find(number);
  if (found != here_.end()) found->second.at = stage::waiting;
}

std::optional<std::uint64_t> strangers::worst(std::uint64_t spared) const {
  std::map<ip::address, std::size_t> together;
  for (const auto &[number, row] : here_) ++together[row.from];
  std::optional<std::uint64_t> found;
  std::tuple<stage, std::size_t> least;
  for (const auto &[number, row] : here_) {  // the oldest come first
    const std::tuple rank{row.at, here_.size() - together.at(row.from)};
    if (number == spared || (found && rank >= least)) continue;
    found = number;
    least = rank;
  }
  return found;
}

void strangers::refill(time now) {
  if (filled_ && now > *filled_)
    left_ = std::min(most_turns_, left_ + rate_ * std::chrono::duration<double>(now - *filled_).count());
  filled_ = std::max(now, filled_.value_or(now));
}

std::optional<std::uint64_t> strangers::next(time now) {
  refill(now);
  if (left_ < 1) return std::nullopt;
  std::optional<std::uint64_t> found;
  std::uint64_t longest_ago = 0;
  for (const auto &[number, row] : here_) {
    if (row.at != stage::waiting) continue;
    const auto served = served_.find(row.from);
    const auto last = served == served_.end() ? 0 : served->second;
    if (found && last >= longest_ago) continue;
    found = number;
    longest_ago = last;
  }
  if (!found) return found;
  left_ -= 1;
  auto &row = here_.at(*found);
  row.at = stage::proving;
  served_[row.from] = ++turns_;
  if (served_.size() > most_remembered)
    served_.erase(std::min_element(served_.begin(), served_.end(),
                                   [](const auto &a, const auto &b) { return a.second < b.second; }));
  return found;
}

std::optional<strangers::time> strangers::next_turn() const {
  const bool any = std::any_of(here_.begin(), here_.end(),
                               [](const auto &one) { return one.second.at == stage::waiting; });
  if (!any || !filled_) return std::nullopt;
  const std::chrono::duration<double> missing(std::max(0.0, 1 - left_) / rate_);
  return *filled_ + std::chrono::ceil<std::chrono::steady_clock::duration>(missing);
}

}  // namespace slipstream::wire

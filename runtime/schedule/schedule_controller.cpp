#include "runtime/schedule/schedule_controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

// Whether a small reading of the signal means that the data are too old: of an effective sample size it does,
// of distances and weights a large one.
bool small_is_bad(const std::string &signal) {
  return signal == "ess";
}

}  // namespace

std::int64_t ramp_value(const schedule_number &ramp, std::int64_t version) {
  if (version <= ramp.begin) return ramp.first;
  if (version >= ramp.end) return ramp.last;
  const double share = static_cast<double>(version - ramp.begin) / static_cast<double>(ramp.end - ramp.begin);
  return ramp.first + std::llround(share * static_cast<double>(ramp.last - ramp.first));
}

bool out_of_bounds(const guard_spec &guard, const schedule_controller::figures &update) {
  const auto found = update.find(guard.signal);
  if (found == update.end()) return false;
  return (guard.above && found->second > *guard.above) || (guard.below && found->second < *guard.below);
}

std::string reason_of(const guard_spec &guard, const schedule_controller::figures &update) {
  const auto value = update.find(guard.signal)->second;
  const bool above = guard.above && value > *guard.above;
  return fmt::format("{} {:.4g} {} {:g}", guard.signal, value, above ? "above" : "below",
                     above ? *guard.above : *guard.below);
}

schedule_controller::schedule_controller(std::map<std::string, schedule_number> numbers,
                                         std::vector<guard_spec> guards)
    : numbers_(std::move(numbers)), guards_(std::move(guards)) {
  for (const auto &[name, number] : numbers_) values_[name] = number.first;
}

std::map<std::string, std::int64_t> schedule_controller::changing() const {
  std::map<std::string, std::int64_t> result;
  for (const auto &[name, number] : numbers_)
    if (number.least != number.most) result.emplace(name, values_.at(name));
  return result;
}

void schedule_controller::restore(const std::map<std::string, std::int64_t> &values) {
  for (const auto &[name, value] : values)
    if (values_.contains(name)) values_[name] = value;
}

void schedule_controller::remember(std::int64_t version, const figures &update) {
  for (const auto &[name, number] : numbers_) {
    if (number.how != schedule_number::kind::feedback) continue;
    if (version % number.every == 0) readings_[name] = {};
    const auto found = update.find(number.signal);
    if (version % number.every == 0 || found == update.end() || !std::isfinite(found->second)) continue;
    readings_[name].sum += found->second;
    ++readings_[name].count;
  }
}

void schedule_controller::change(std::vector<schedule_change> &changes, const std::string &number,
                                 std::int64_t version, std::int64_t value, const std::string &cause) {
  if (values_.at(number) == value) return;
  values_[number] = value;
  changes.push_back({number, version, value, cause});
}

void schedule_controller::steer(std::vector<schedule_change> &changes, const std::string &name,
                                std::int64_t version) {
  const auto &number = numbers_.at(name);
  const auto read = readings_[name];
  readings_[name] = {};
  if (read.count == 0) return;
  const double mean = read.sum / static_cast<double>(read.count);
  const double low = number.target * (1 - number.tolerance), high = number.target * (1 + number.tolerance);
  if (mean >= low && mean <= high) return;
  const bool too_old = small_is_bad(number.signal) ? mean < low : mean > high;
  const auto value = std::clamp(values_.at(name) + (too_old ? -1 : 1), number.least, number.most);
  change(changes, name, version, value,
         fmt::format("{} {:.4g}, target {:g}", number.signal, mean, number.target));
}

void schedule_controller::ask_for(const std::string &name, std::int64_t value) {
  const auto found = numbers_.find(name);
  if (found == numbers_.end()) throw input_error("the schedule has no number \"" + name + "\"");
  const auto &number = found->second;
  if (value < number.least || value > number.most)
    throw input_error(fmt::format("{} = {} is outside of what the topology lets it be, {} to {}", name, value,
                                  number.least, number.most));
  asked_[name] = value;
}

void schedule_controller::write_state(state_text &text) const {
  for (const auto &[name, value] : values_) text << value;
  text.end();
  for (const auto &[name, value] : asked_) text << name << value;
  text.end();
  for (const auto &[name, read] : readings_) text << name << fmt::format("{}", read.sum) << read.count;
  text.end();
}

std::vector<schedule_change> schedule_controller::observe(std::int64_t version, const figures &update) {
  std::vector<schedule_change> changes;
  for (const auto &[name, number] : numbers_) {
    if (number.how == schedule_number::kind::ramp)
      change(changes, name, version, ramp_value(number, version),
             fmt::format("the ramp at version {}", version));
    if (number.how != schedule_number::kind::feedback) continue;
    const auto found = update.find(number.signal);
    if (found != update.end() && std::isfinite(found->second)) {
      readings_[name].sum += found->second;
      ++readings_[name].count;
    }
    if (version % number.every == 0) steer(changes, name, version);
  }
  for (const auto &[name, value] : std::exchange(asked_, {}))
    change(changes, name, version, value, "set by hand");
  for (const auto &guard : guards_) {
    if (guard.act != guard_action::shrink || !values_.contains("lead") || !out_of_bounds(guard, update))
      continue;
    const auto least = numbers_.at("lead").least;
    change(changes, "lead", version, std::max(values_.at("lead") - 1, least),
           "guard: " + reason_of(guard, update));
  }
  return changes;
}

}  // namespace slipstream

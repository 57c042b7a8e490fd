#include "runtime/schedule/dials.hpp"

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

std::int64_t ramp_value(const dial_spec &ramp, std::int64_t version) {
  if (version <= ramp.begin) return ramp.first;
  if (version >= ramp.end) return ramp.last;
  const double share = static_cast<double>(version - ramp.begin) / static_cast<double>(ramp.end - ramp.begin);
  return ramp.first + std::llround(share * static_cast<double>(ramp.last - ramp.first));
}

bool out_of_bounds(const brake_spec &brake, const conductor::figures &update) {
  const auto found = update.find(brake.signal);
  if (found == update.end()) return false;
  return (brake.above && found->second > *brake.above) || (brake.below && found->second < *brake.below);
}

std::string reason_of(const brake_spec &brake, const conductor::figures &update) {
  const auto value = update.find(brake.signal)->second;
  const bool above = brake.above && value > *brake.above;
  return fmt::format("{} {:.4g} {} {:g}", brake.signal, value, above ? "above" : "below",
                     above ? *brake.above : *brake.below);
}

conductor::conductor(std::map<std::string, dial_spec> dials, std::vector<brake_spec> brakes)
    : dials_(std::move(dials)), brakes_(std::move(brakes)) {
  for (const auto &[name, dial] : dials_) values_[name] = dial.first;
}

std::map<std::string, std::int64_t> conductor::changing() const {
  std::map<std::string, std::int64_t> result;
  for (const auto &[name, dial] : dials_)
    if (dial.least != dial.most) result.emplace(name, values_.at(name));
  return result;
}

void conductor::restore(const std::map<std::string, std::int64_t> &values) {
  for (const auto &[name, value] : values)
    if (values_.contains(name)) values_[name] = value;
}

void conductor::remember(std::int64_t version, const figures &update) {
  for (const auto &[name, dial] : dials_) {
    if (dial.how != dial_spec::kind::controller) continue;
    if (version % dial.every == 0) readings_[name] = {};
    const auto found = update.find(dial.signal);
    if (version % dial.every == 0 || found == update.end() || !std::isfinite(found->second)) continue;
    readings_[name].sum += found->second;
    ++readings_[name].count;
  }
}

void conductor::turn(std::vector<dial_turn> &turns, const std::string &dial, std::int64_t version,
                     std::int64_t value, const std::string &cause) {
  if (values_.at(dial) == value) return;
  values_[dial] = value;
  turns.push_back({dial, version, value, cause});
}

void conductor::steer(std::vector<dial_turn> &turns, const std::string &name, std::int64_t version) {
  const auto &dial = dials_.at(name);
  const auto read = readings_[name];
  readings_[name] = {};
  if (read.count == 0) return;
  const double mean = read.sum / static_cast<double>(read.count);
  const double low = dial.target * (1 - dial.tolerance), high = dial.target * (1 + dial.tolerance);
  if (mean >= low && mean <= high) return;
  const bool too_old = small_is_bad(dial.signal) ? mean < low : mean > high;
  const auto value = std::clamp(values_.at(name) + (too_old ? -1 : 1), dial.least, dial.most);
  turn(turns, name, version, value, fmt::format("{} {:.4g}, target {:g}", dial.signal, mean, dial.target));
}

void conductor::ask_for(const std::string &name, std::int64_t value) {
  const auto found = dials_.find(name);
  if (found == dials_.end()) throw input_error("the schedule has no number \"" + name + "\"");
  const auto &dial = found->second;
  if (value < dial.least || value > dial.most)
    throw input_error(fmt::format("{} = {} is outside of what the topology lets it be, {} to {}", name, value,
                                  dial.least, dial.most));
  asked_[name] = value;
}

void conductor::write_state(state_text &text) const {
  for (const auto &[name, value] : values_) text << value;
  text.end();
  for (const auto &[name, value] : asked_) text << name << value;
  text.end();
  for (const auto &[name, read] : readings_) text << name << fmt::format("{}", read.sum) << read.count;
  text.end();
}

std::vector<dial_turn> conductor::observe(std::int64_t version, const figures &update) {
  std::vector<dial_turn> turns;
  for (const auto &[name, dial] : dials_) {
    if (dial.how == dial_spec::kind::ramp)
      turn(turns, name, version, ramp_value(dial, version), fmt::format("the ramp at version {}", version));
    if (dial.how != dial_spec::kind::controller) continue;
    const auto found = update.find(dial.signal);
    if (found != update.end() && std::isfinite(found->second)) {
      readings_[name].sum += found->second;
      ++readings_[name].count;
    }
    if (version % dial.every == 0) steer(turns, name, version);
  }
  for (const auto &[name, value] : std::exchange(asked_, {}))
    turn(turns, name, version, value, "set by hand");
  for (const auto &brake : brakes_) {
    if (brake.act != brake_action::shrink || !values_.contains("lead") || !out_of_bounds(brake, update))
      continue;
    const auto least = dials_.at("lead").least;
    turn(turns, "lead", version, std::max(values_.at("lead") - 1, least),
         "guard: " + reason_of(brake, update));
  }
  return turns;
}

}  // namespace slipstream

#include "runtime/scoring/reward_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace slipstream {
namespace {

/// In quotes and on one line, without the middle where it is long.
std::string quoted(const std::string &text) {
  constexpr std::size_t most = 200;
  const auto dumped = [](const std::string &part) {
    return nlohmann::json(part).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  };
  if (text.size() <= most) return dumped(text);
  return dumped(text.substr(0, most / 2)) + " … " + dumped(text.substr(text.size() - most / 2));
}

std::string compared(const rollout_group &group) {
  const auto answer = group.texts.empty() ? std::string() : group.texts.front();
  const auto &line = *group.source;
  const auto given = fmt::format("the answer {} to the prompt {}", quoted(answer), quoted(line.prompt));
  if (line.answer.empty()) return given + " has no \"answer\" of its line to be compared with";
  return given + " was compared with " + quoted(line.answer);
}

}  // namespace

std::string reward_watch::look(const rollout_group &group, const std::vector<double> &rewards) {
  if (told_ || groups_ == 0 || rewards.empty()) return {};
  const bool even =
      std::all_of(rewards.begin(), rewards.end(), [&](double r) { return r == rewards.front(); });
  if (!even || (alike_ > 0 && rewards.front() != reward_)) alike_ = answers_ = 0;
  if (!even) return {};
  reward_ = rewards.front();
  ++alike_;
  answers_ += static_cast<std::int64_t>(rewards.size());
  if (alike_ < groups_ || answers_ < 2) return {};
  told_ = true;
  return fmt::format(
      "the rewards of {} updates ({} answers) are all {}, and nothing is learned from that: {}; see "
      "whether the scorer and the dataset's answers fit together",
      updates_, answers_, reward_, compared(group));
}

}  // namespace slipstream

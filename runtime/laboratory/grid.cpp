#include "runtime/laboratory/grid.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <map>

#include "models/error.hpp"
#include "runtime/topology/document.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string &message) {
  throw input_error(fmt::format("--vary {}: error: {}", text, message));
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// Parts at commas that stand in no quotes and no brackets.
std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> values(1);
  int depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"' && i + 1 < text.size()) values.back() += text[i++];
      if (text[i] == quote && c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      values.emplace_back();
      continue;
    }
    values.back() += text[i];
  }
  for (auto &value : values) value = trimmed(value);
  return values;
}

// The end of a dotted key that no other key shares.
std::string short_key(const std::string &key, const std::vector<varied_key> &keys) {
  auto start = key.rfind('.');
  while (start != std::string::npos) {
    const auto tail = key.substr(start);
    const auto shared =
        std::count_if(keys.begin(), keys.end(), [&](const auto &other) { return other.key.ends_with(tail); });
    if (shared <= 1) return tail.substr(1);
    start = start == 0 ? std::string::npos : key.rfind('.', start - 1);
  }
  return key;
}

// Values become parts of a folder's name. What that loses, a checksum keeps apart.
std::string folder_name(const sweep_arm &arm, const std::string &wanted) {
  std::string name;
  bool lost = wanted.size() > 60;
  for (const char c : wanted.substr(0, 60)) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
    lost = lost || (!fine && c != '"');
    if (fine) name += c;
  }
  if (!lost) return name;
  auto sum = crc32(0, nullptr, 0);
  for (const auto &text : arm.overrides)
    sum = crc32(sum, reinterpret_cast<const Bytef *>(text.c_str()), static_cast<uInt>(text.size() + 1));
  return fmt::format("{}-{:08x}", name, sum);
}

}  // namespace

varied_key parse_varied_key(std::string_view text) {
  const auto equals = text.find('=');
  constexpr std::string_view example = "--vary schedule.max_staleness=0,1,2";
  if (equals == std::string_view::npos)
    refuse(text, fmt::format("write --vary table.key=VALUE,VALUE, as in {}", example));
  try {
    override_path(text);
  } catch (const input_error &) {
    refuse(text, fmt::format("a key is written table.key, as in {}", example));
  }
  varied_key result{std::string(text.substr(0, equals)), split_values(text.substr(equals + 1))};
  if (result.values.size() == 1 && result.values.front().empty())
    refuse(text, fmt::format("no values; name at least one, as in {}", example));
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    if (result.values[i].empty())
      refuse(text, fmt::format("value {} is empty; remove a comma, or write \"\" for an empty text", i + 1));
    if (std::find(result.values.begin(), result.values.begin() + static_cast<std::ptrdiff_t>(i),
                  result.values[i]) != result.values.begin() + static_cast<std::ptrdiff_t>(i))
      refuse(text, fmt::format("{} is there twice; remove one", result.values[i]));
  }
  if (result.key == "run.seed")
    refuse(text, "the sweep sets the seeds: write --seeds N (and --set run.seed=… for the first one)");
  if (result.key == "run.name" || result.key == "run.folder" || result.key == "run.threads")
    refuse(text, fmt::format("the sweep sets {} of each run itself; vary another key", result.key));
  return result;
}

std::vector<sweep_arm> make_arms(const std::vector<varied_key> &keys) {
  for (std::size_t i = 0; i < keys.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (present_path(keys[i].key) == present_path(keys[j].key))
        refuse(keys[i].key, "the key is varied twice; write its values into one --vary");
  std::vector<std::pair<sweep_arm, std::string>> arms(1);
  for (const auto &key : keys) {
    const auto short_name = short_key(key.key, keys);
    std::vector<std::pair<sweep_arm, std::string>> more;
    for (const auto &[arm, name] : arms)
      for (const auto &value : key.values) {
        auto next = arm;
        next.overrides.push_back(key.key + "=" + value);
        next.label += (arm.label.empty() ? "" : ", ") + short_name + "=" + value;
        more.emplace_back(next, name + (name.empty() ? "" : ".") + short_name + "-" + value);
      }
    arms = std::move(more);
  }
  std::vector<sweep_arm> result;
  for (auto &[arm, name] : arms) {
    arm.name = folder_name(arm, name);
    if (keys.empty()) arm.label = "all";
    result.push_back(std::move(arm));
  }
  return result;
}

std::vector<sweep_run> make_runs(const std::vector<sweep_arm> &arms, std::uint64_t first_seed,
                                 std::int64_t seeds) {
  std::vector<sweep_run> runs;
  for (std::int64_t i = 0; i < seeds; ++i)
    for (std::size_t arm = 0; arm < arms.size(); ++arm) {
      const auto seed = first_seed + static_cast<std::uint64_t>(i);
      const auto &name = arms[arm].name;
      runs.push_back({arm, seed, fmt::format("{}{}seed-{}", name, name.empty() ? "" : ".", seed)});
    }
  return runs;
}

}  // namespace slipstream

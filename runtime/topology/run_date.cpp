#include "runtime/topology/run_date.hpp"

#include <array>
#include <ctime>
#include <fstream>

#include "models/templates/budget.hpp"
#include "models/templates/date.hpp"

namespace slipstream {

std::string date_of_run(const std::filesystem::path &folder) {
  constexpr std::string_view key = "date = \"";
  std::ifstream recorded(folder / "topology.toml");
  bool in_run = false;
  for (std::string line; std::getline(recorded, line);) {
    if (line.starts_with("[")) in_run = line == "[run]";
    if (!in_run || !line.starts_with(key) || !line.ends_with("\"")) continue;
    const std::string date = line.substr(key.size(), line.size() - key.size() - 1);
    if (is_date(date)) return date;
  }
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

bool is_date(const std::string &text) {
  try {
    jinja::formatted_date("%Y", text);
    return true;
  } catch (const jinja::complaint &) {
    return false;
  }
}

}  // namespace slipstream

#include "models/templates/filters.hpp"

#include <algorithm>
#include <array>

namespace slipstream::jinja {
namespace {

std::vector<std::span<const filter_row>> tables() {
  return {text_filters(),    sequence_filters(), choosing_filters(), number_filters(),
          sorting_filters(), web_filters(),      wrapping_filters()};
}

// Where they would be, they do what no chat template needs: random numbers, patterns for links, tables of
// HTML's names, Python's layout.
constexpr std::array unsupported{"pprint", "random", "striptags", "urlize"};

}  // namespace

bool is_jinja_filter(std::string_view name) {
  return find_filter(name) || std::find(unsupported.begin(), unsupported.end(), name) != unsupported.end();
}

const filter_row *find_filter(std::string_view name) {
  for (const auto &table : tables())
    for (const filter_row &each : table)
      if (each.name == name) return &each;
  return nullptr;
}

std::string filter_names() {
  std::string all;
  for (const auto &table : tables())
    for (const filter_row &each : table) all += (all.empty() ? "" : ", ") + std::string(each.name);
  return all;
}

}  // namespace slipstream::jinja

#include "models/templates/filters.hpp"

namespace slipstream::jinja {
namespace {

std::vector<std::span<const filter_row>> tables() {
  return {text_filters(), sequence_filters(), choosing_filters(), number_filters(), sorting_filters()};
}

}  // namespace

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

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/templates/syntax.hpp"
#include "models/templates/value.hpp"

namespace slipstream::jinja {

/// Names that were set, in the body of a loop, a macro or a block; what is not here is looked for outside.
struct scope {
  scope *outer = nullptr;
  bool kept = false;  ///< a macro made here may read it later
  std::vector<std::pair<int, value>> names;

  value *find(int symbol) {
    for (auto &[name, content] : names)
      if (name == symbol) return &content;
    return nullptr;
  }
  void set(int symbol, value content) {
    if (value *known = find(symbol))
      *known = std::move(content);
    else
      names.emplace_back(symbol, std::move(content));
  }
};

struct namespace_object : object {
  std::vector<std::pair<std::string, value>> names;
  value *find(std::string_view name) {
    for (auto &[each, content] : names)
      if (each == name) return &content;
    return nullptr;
  }
};

struct method_object : object {
  value self, name;
};

struct macro_object : object {
  const signature *takes = nullptr;
  const statement *made_by = nullptr;
  scope *outer = nullptr;
  std::string name;
};

}  // namespace slipstream::jinja

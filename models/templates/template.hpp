#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/templates/budget.hpp"

namespace slipstream {

namespace jinja {
struct program;
}

/// A part of a rendered text, in bytes.
struct template_span {
  std::size_t from = 0, to = 0;
};

struct rendered_template {
  std::string text;
  std::vector<template_span> generated;  ///< what {% generation %} made, in order
  bool spans_known = true;  ///< false when a generation stood in a macro or a block, whose place is not known
};

/// A chat template in Jinja, as transformers reads it: trim_blocks and lstrip_blocks, loop controls,
/// generation, raise_exception, strftime_now, and tojson without escapes. It sees nothing but its inputs and
/// cannot change them. Immutable and thread-safe.
class jinja_template {
 public:
  /// Throws input_error "WHERE:LINE:COL: error: ..." that names what is not understood.
  static jinja_template parse(std::string_view text, const std::string &where);

  /// Renders with the members of `inputs` as variables. `moment` ("2026-11-30 14:05:09") is strftime_now's.
  /// Throws input_error "WHERE:LINE:COL: error: ..." when the template raises or goes beyond a limit.
  rendered_template render(const nlohmann::ordered_json &inputs, std::string_view moment = "",
                           const template_limits &limits = {}) const;

  bool marks_generation() const;            ///< it holds {% generation %}
  bool asks_date() const;                   ///< it holds strftime_now
  bool reads(std::string_view name) const;  ///< it names this variable or item somewhere
  const std::string &where() const;

 private:
  std::shared_ptr<const jinja::program> program_;
};

}  // namespace slipstream

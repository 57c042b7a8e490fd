#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "models/templates/value.hpp"

namespace slipstream::jinja {

/// A place in a template, both from 1.
struct position {
  std::uint32_t line = 1, column = 1;
};

enum class op : std::uint8_t {
  constant,
  name,
  tuple,
  list,
  map,  ///< keys and values in turn
  attribute,
  item,
  slice,  ///< start, stop and step of the item that holds it
  call,   ///< parts: what is called, then arguments, as in filter and test
  filter,
  test,
  negate,
  plus,
  opposite,
  conditional,  ///< condition, if true, else
  both,
  either,
  compare,  ///< the first operand, then one for each of `operators`
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concatenate
};

enum class comparison : std::uint8_t { equal, unequal, less, at_most, greater, at_least, in, not_in };

struct filter_row;
struct test_row;

struct expression {
  op what = op::constant;
  bool negated = false;      ///< of a test
  std::uint16_t height = 1;  ///< expressions within it, the longest way down
  position at{};
  int symbol = -1;   ///< of a name
  value constant{};  ///< also an attribute's name
  const filter_row *filter = nullptr;
  const test_row *test = nullptr;
  std::vector<expression> parts{};
  std::vector<std::string> keywords{};  ///< of arguments: empty, a name, "*" or "**"
  std::vector<comparison> operators{};
};

enum class act : std::uint8_t {
  text,
  print,
  branch,
  loop,
  set,
  set_block,
  macro,
  call_block,
  filter_block,
  with,
  generation,
  leave,  ///< break
  go_on,  ///< continue
};

struct statement;

struct arm {
  expression condition;  ///< constant true: else
  std::vector<statement> body;
};

/// What a macro or a call block takes.
struct signature {
  int name = -1;
  std::vector<int> parameters{};
  std::vector<std::string> names{};                      ///< of the parameters
  std::vector<expression> defaults{};                    ///< of the last ones
  bool caller = false, varargs = false, kwargs = false;  ///< its body reads them
};

struct statement {
  act what = act::text;
  bool recursive = false, filtered = false, uses_loop = false;
  position at{};
  std::string text{};
  std::vector<expression> targets{};  ///< names, tuples of them, attributes of namespaces
  std::vector<expression>
      expressions{};  ///< what is printed, gone through, assigned or called; a loop's filter second
  signature takes{};
  std::vector<arm> arms{};
  std::vector<statement> body{}, otherwise{};
  std::vector<int> hidden{}, hidden_otherwise{};  ///< names that are undefined until the body sets them
};

/// Names that statements set by themselves.
constexpr int loop_symbol = 0, caller_symbol = 1, varargs_symbol = 2, kwargs_symbol = 3;

/// A parsed template.
struct program {
  std::string where;
  std::vector<std::string> symbols;
  std::vector<statement> body;
  std::vector<int> hidden;      ///< as in a statement
  std::set<std::string> words;  ///< names, attributes and strings that it holds
  bool marks_generation = false, asks_date = false;
};

}  // namespace slipstream::jinja

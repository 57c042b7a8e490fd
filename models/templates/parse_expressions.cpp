#include <algorithm>

#include "models/templates/filters.hpp"
#include "models/templates/parser.hpp"
#include "models/templates/tests.hpp"

namespace slipstream::jinja {
namespace {

constexpr unsigned highest = 250;  // expressions within one another

struct compared {
  std::string_view sign;
  comparison how;
};
constexpr compared comparisons[] = {{"==", comparison::equal},  {"!=", comparison::unequal},
                                    {"<", comparison::less},    {"<=", comparison::at_most},
                                    {">", comparison::greater}, {">=", comparison::at_least}};

}  // namespace

expression parser::constant(value content, position at) {
  expression made;
  made.at = at;
  made.constant = std::move(content);
  return made;
}

void parser::grown(expression &made) const {
  unsigned height = 0;
  for (const expression &part : made.parts) height = std::max<unsigned>(height, part.height);
  if (height >= highest) fail_at(made.at, "an expression is nested more than 250 deep");
  made.height = static_cast<std::uint16_t>(height + 1);
}

expression parser::joined(op what, position at, std::vector<expression> parts) const {
  expression made;
  made.what = what;
  made.at = at;
  made.parts = std::move(parts);
  grown(made);
  return made;
}

expression parser::whole(bool with_conditional, std::string_view until) {
  const position at = now().at;
  const auto ended = [&] {
    return now().what == token_kind::print_end || now().what == token_kind::tag_end || is_sign(")") ||
           (!until.empty() && is_name(until));
  };
  std::vector<expression> parts;
  bool tuple = false;
  while (!ended()) {
    parts.push_back(any(with_conditional));
    if (!skip_sign(",")) break;
    tuple = true;
  }
  if (tuple) return joined(op::tuple, at, std::move(parts));
  if (parts.empty()) fail("expected an expression, not " + found());
  return std::move(parts.front());
}

expression parser::any(bool with_conditional) {
  const deeper guard(*this);
  return with_conditional ? conditional() : either();
}

expression parser::conditional() {
  position at = now().at;
  expression made = either();
  while (skip_name("if")) {
    std::vector<expression> parts;
    parts.push_back(either());
    parts.push_back(std::move(made));
    if (skip_name("else")) parts.push_back(any());
    made = joined(op::conditional, at, std::move(parts));
    at = now().at;
  }
  return made;
}

expression parser::either() {
  const position at = now().at;
  std::vector<expression> parts;
  do parts.push_back(both());
  while (skip_name("or"));
  return parts.size() == 1 ? std::move(parts.front()) : joined(op::either, at, std::move(parts));
}

expression parser::both() {
  const position at = now().at;
  std::vector<expression> parts;
  do parts.push_back(opposite());
  while (skip_name("and"));
  return parts.size() == 1 ? std::move(parts.front()) : joined(op::both, at, std::move(parts));
}

expression parser::opposite() {
  const deeper guard(*this);
  const position at = now().at;
  if (!skip_name("not")) return comparing();
  std::vector<expression> parts;
  parts.push_back(opposite());
  return joined(op::opposite, at, std::move(parts));
}

expression parser::comparing() {
  const position at = now().at;
  std::vector<expression> parts;
  std::vector<comparison> how;
  parts.push_back(sum());
  while (true) {
    const auto *row = std::find_if(std::begin(comparisons), std::end(comparisons),
                                   [&](const compared &each) { return is_sign(each.sign); });
    if (row != std::end(comparisons)) {
      how.push_back(row->how);
    } else if (is_name("in")) {
      how.push_back(comparison::in);
    } else if (is_name("not") && after().what == token_kind::name && after().text == "in") {
      take();
      how.push_back(comparison::not_in);
    } else {
      break;
    }
    take();
    parts.push_back(sum());
  }
  if (how.empty()) return std::move(parts.front());
  expression made = joined(op::compare, at, std::move(parts));
  made.operators = std::move(how);
  return made;
}

expression parser::sum() {
  const position at = now().at;
  expression made = concatenation();
  while (is_sign("+") || is_sign("-")) {
    const op what = take().text == "+" ? op::add : op::subtract;
    std::vector<expression> parts;
    parts.push_back(std::move(made));
    parts.push_back(concatenation());
    made = joined(what, at, std::move(parts));
  }
  return made;
}

expression parser::concatenation() {
  const position at = now().at;
  std::vector<expression> parts;
  do parts.push_back(product());
  while (skip_sign("~"));
  return parts.size() == 1 ? std::move(parts.front()) : joined(op::concatenate, at, std::move(parts));
}

expression parser::product() {
  const position at = now().at;
  expression made = power();
  while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%")) {
    const std::string sign = take().text;
    const op what = sign == "*"    ? op::multiply
                    : sign == "/"  ? op::divide
                    : sign == "//" ? op::floor_divide
                                   : op::modulo;
    std::vector<expression> parts;
    parts.push_back(std::move(made));
    parts.push_back(power());
    made = joined(what, at, std::move(parts));
  }
  return made;
}

expression parser::power() {
  const position at = now().at;
  expression made = unary();
  while (skip_sign("**")) {
    std::vector<expression> parts;
    parts.push_back(std::move(made));
    parts.push_back(unary());
    made = joined(op::power, at, std::move(parts));
  }
  return made;
}

expression parser::unary(bool with_filter) {
  const deeper guard(*this);
  const position at = now().at;
  expression made;
  if (is_sign("-") || is_sign("+")) {
    const op what = take().text == "-" ? op::negate : op::plus;
    std::vector<expression> parts;
    parts.push_back(unary(false));
    made = joined(what, at, std::move(parts));
  } else {
    made = primary();
  }
  made = postfix(std::move(made));
  return with_filter ? filtered(std::move(made)) : made;
}

expression parser::primary() {
  if (now().what == token_kind::name) return named();
  if (now().what == token_kind::text) return text();
  if (now().what == token_kind::number) {
    const token number = take();
    return constant(number.constant, number.at);
  }
  if (is_sign("(")) return parenthesised();
  if (is_sign("[")) return list();
  if (is_sign("{")) return map();
  fail("unexpected " + found());
}

expression parser::named() {
  const token name = take();
  if (name.text == "true" || name.text == "True") return constant(value(true), name.at);
  if (name.text == "false" || name.text == "False") return constant(value(false), name.at);
  if (name.text == "none" || name.text == "None") return constant(value::none(), name.at);
  callers_ += name.text == "caller";
  varargs_ += name.text == "varargs";
  kwargs_ += name.text == "kwargs";
  uses_of_loop_ += name.text == "loop";
  made_.asks_date |= name.text == "strftime_now";
  expression made = constant(value::constant(name.text), name.at);
  made.what = op::name;
  made.symbol = symbol(name.text);
  return made;
}

// Strings beside one another are one.
expression parser::text() {
  const position at = now().at;
  std::string whole;
  while (now().what == token_kind::text) whole += take().constant.text();
  return constant(value::constant(std::move(whole)), at);
}

expression parser::parenthesised() {
  const position at = now().at;
  expect_sign("(");
  expression made = is_sign(")") ? joined(op::tuple, at, {}) : whole();
  expect_sign(")");
  return made;
}

expression parser::list() {
  const position at = now().at;
  expect_sign("[");
  std::vector<expression> parts;
  while (!is_sign("]")) {
    parts.push_back(any());
    if (!skip_sign(",")) break;
  }
  expect_sign("]");
  return joined(op::list, at, std::move(parts));
}

expression parser::map() {
  const position at = now().at;
  expect_sign("{");
  std::vector<expression> parts;
  while (!is_sign("}")) {
    parts.push_back(any());
    expect_sign(":");
    parts.push_back(any());
    if (!skip_sign(",")) break;
  }
  expect_sign("}");
  return joined(op::map, at, std::move(parts));
}

}  // namespace slipstream::jinja

#include "models/templates/filters.hpp"
#include "models/templates/parser.hpp"
#include "models/templates/tests.hpp"

namespace slipstream::jinja {

// What stands behind a value: attributes, items, calls.
expression parser::postfix(expression of) {
  while (true) {
    if (is_sign(".") || is_sign("[")) {
      of = subscript(std::move(of));
    } else if (is_sign("(")) {
      expression made;
      made.what = op::call;
      made.at = now().at;
      made.parts.push_back(std::move(of));
      arguments(made);
      of = std::move(made);
    } else {
      return of;
    }
  }
}

// Filters and tests, which bind closer than operators.
expression parser::filtered(expression of) {
  while (true) {
    if (is_sign("|")) {
      of = one_filter(std::move(of));
    } else if (is_name("is")) {
      of = test(std::move(of));
    } else if (is_sign("(")) {
      of = postfix(std::move(of));
    } else {
      return of;
    }
  }
}

expression parser::one_filter(expression of) {
  expect_sign("|");
  expression made;
  made.what = op::filter;
  made.at = now().at;
  const std::string name = expect_any_name("a filter's name");
  if (is_sign(".")) fail("there is no filter of a name with dots");
  made.filter = find_filter(name);
  if (!made.filter)
    fail_at(made.at, "the filter \"" + name + "\" is not supported; supported are: " + filter_names());
  made.parts.push_back(std::move(of));
  if (is_sign("("))
    arguments(made);
  else
    grown(made);
  return made;
}

expression parser::test(expression of) {
  expect_name("is");
  expression made;
  made.what = op::test;
  made.negated = skip_name("not");
  made.at = now().at;
  const std::string name = expect_any_name("a test's name");
  made.test = find_test(name);
  if (!made.test)
    fail_at(made.at, "the test \"" + name + "\" is not supported; supported are: " + test_names());
  made.parts.push_back(std::move(of));
  const bool value_ahead =
      now().what == token_kind::text || now().what == token_kind::number || is_sign("[") || is_sign("{") ||
      (now().what == token_kind::name && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_sign("(")) {
    arguments(made);
  } else if (value_ahead) {
    if (is_name("is")) fail("tests cannot be chained with \"is\"");
    made.parts.push_back(postfix(primary()));
    made.keywords.emplace_back();
  }
  grown(made);
  return made;
}

expression parser::subscript(expression of) {
  expression made;
  made.at = now().at;
  made.parts.push_back(std::move(of));
  if (skip_sign(".")) {
    if (now().what == token_kind::number && now().constant.is(kind::integer)) {
      made.what = op::item;
      made.parts.push_back(constant(take().constant, made.at));
    } else {
      made.what = op::attribute;
      made.constant = value::constant(expect_any_name("a name or a number"));
    }
    grown(made);
    return made;
  }
  expect_sign("[");
  made.what = op::item;
  std::vector<expression> inside;
  const position at = now().at;
  while (!is_sign("]")) {
    inside.push_back(subscribed());
    if (!skip_sign(",")) break;
  }
  expect_sign("]");
  made.parts.push_back(inside.size() == 1 ? std::move(inside.front())
                                          : joined(op::tuple, at, std::move(inside)));
  grown(made);
  return made;
}

// An item, or start:stop:step with what was left out as none.
expression parser::subscribed() {
  const position at = now().at;
  std::vector<expression> parts;
  parts.push_back(is_sign(":") ? constant(value::none(), at) : any());
  if (!is_sign(":")) return std::move(parts.front());
  for (int i = 0; i < 2; ++i) {
    const bool given = skip_sign(":") && !is_sign(":") && !is_sign("]") && !is_sign(",");
    parts.push_back(given ? any() : constant(value::none(), at));
  }
  return joined(op::slice, at, std::move(parts));
}

void parser::arguments(expression &into) {
  expect_sign("(");
  bool named = false, spread = false, spread_names = false;
  while (!is_sign(")")) {
    std::string keyword;
    if (is_sign("*") || is_sign("**")) {
      keyword = take().text;
      if (spread_names || (keyword == "*" && spread)) fail("arguments after **");
      (keyword == "*" ? spread : spread_names) = true;
    } else if (now().what == token_kind::name && after().what == token_kind::sign && after().text == "=") {
      keyword = take().text;
      take();
      if (spread_names) fail("arguments after **");
      named = true;
    } else if (named || spread || spread_names) {
      fail("an argument without a name after those with one");
    }
    into.parts.push_back(any());
    into.keywords.push_back(std::move(keyword));
    if (!skip_sign(",")) break;
  }
  expect_sign(")");
  grown(into);
}

}  // namespace slipstream::jinja

#include "models/templates/parser.hpp"

#include "models/templates/frames.hpp"

namespace slipstream::jinja {

parser::parser(std::vector<token> tokens, std::string where) : tokens_(std::move(tokens)) {
  made_.where = std::move(where);
  for (const token &each : tokens_) {
    if (each.what == token_kind::name) made_.words.insert(each.text);
    if (each.what == token_kind::text) made_.words.emplace(each.constant.text());
  }
  for (const char *name : {"loop", "caller", "varargs", "kwargs"})
    symbol(name);  // in the order of their numbers
}

program parser::read() {
  made_.body = block({});
  find_hidden_names(made_);
  return std::move(made_);
}

bool parser::skip_sign(std::string_view sign) {
  const bool there = is_sign(sign);
  if (there) take();
  return there;
}

bool parser::skip_name(std::string_view name) {
  const bool there = is_name(name);
  if (there) take();
  return there;
}

void parser::expect_sign(std::string_view sign) {
  if (!skip_sign(sign)) fail("expected \"" + std::string(sign) + "\", not " + found());
}

void parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail("expected \"" + std::string(name) + "\", not " + found());
}

std::string parser::expect_any_name(const char *what) {
  if (now().what != token_kind::name) fail(std::string("expected ") + what + ", not " + found());
  return take().text;
}

std::string parser::found() const {
  switch (now().what) {
    case token_kind::data:
      return "text";
    case token_kind::print_begin:
      return "{{";
    case token_kind::print_end:
      return "}}";
    case token_kind::tag_begin:
      return "{%";
    case token_kind::tag_end:
      return "%}";
    case token_kind::text:
      return "a string";
    case token_kind::number:
      return "a number";
    case token_kind::end:
      return "the template's end";
    default:
      return "\"" + now().text + "\"";
  }
}

int parser::symbol(const std::string &name) {
  const auto [at, added] = symbols_.emplace(name, static_cast<int>(made_.symbols.size()));
  if (added) made_.symbols.push_back(name);
  return at->second;
}

}  // namespace slipstream::jinja

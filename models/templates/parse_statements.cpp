#include <algorithm>

#include "models/templates/parser.hpp"

namespace slipstream::jinja {
namespace {

bool closes(const std::string &name, std::initializer_list<std::string_view> closing) {
  return std::find(closing.begin(), closing.end(), name) != closing.end();
}

std::string listed(std::initializer_list<std::string_view> closing) {
  std::string all;
  for (const std::string_view each : closing) all += (all.empty() ? "" : " or ") + std::string(each);
  return all;
}

}  // namespace

// Statements up to a tag of `closing`, whose name is the token to come; with none, up to the template's end.
std::vector<statement> parser::block(ends closing) {
  const deeper guard(*this);
  std::vector<statement> all;
  const position from = now().at;
  while (now().what != token_kind::end) {
    if (now().what == token_kind::data) {
      statement data;
      data.at = now().at;
      data.text = take().text;
      all.push_back(std::move(data));
    } else if (now().what == token_kind::print_begin) {
      statement print;
      print.what = act::print;
      print.at = take().at;
      print.expressions.push_back(whole());
      if (now().what != token_kind::print_end) fail("expected \"}}\", not " + found());
      take();
      all.push_back(std::move(print));
    } else {
      take();
      if (now().what == token_kind::name && closes(now().text, closing)) return all;
      one_tag(all);
    }
  }
  if (closing.size() > 0) fail_at(from, "what starts here is not closed: there is no " + listed(closing));
  return all;
}

// The rest of a tag, then statements; the closing tag's name is taken.
std::vector<statement> parser::body(ends closing) {
  skip_sign(":");
  if (now().what != token_kind::tag_end) fail("expected \"%}\", not " + found());
  take();
  return block(closing);
}

void parser::one_tag(std::vector<statement> &into) {
  const position at = now().at;
  statement made = tag(expect_any_name("a statement"), at);
  made.at = at;
  if (now().what != token_kind::tag_end) fail("expected \"%}\", not " + found());
  take();
  into.push_back(std::move(made));
}

statement parser::tag(const std::string &name, position at) {
  if (name == "if") return read_if();
  if (name == "for") return read_for();
  if (name == "set") return read_set();
  if (name == "macro") return read_macro();
  if (name == "call") return read_call();
  if (name == "filter") return read_filter();
  if (name == "with") return read_with();
  if (name == "generation") return read_generation();
  if (name == "print") return read_print();
  if (name == "break" || name == "continue") {
    if (loops_ == 0) fail_at(at, "\"" + name + "\" outside of a loop");
    return read_jump(name == "break" ? act::leave : act::go_on);
  }
  fail_at(at, "the statement \"" + name +
                  "\" is not supported or out of place; supported are: if, for, set, macro, " +
                  "call, filter, with, generation, print, break, continue, raw");
}

statement parser::read_if() {
  statement made;
  made.what = act::branch;
  while (true) {
    arm next;
    next.condition = whole(false);
    next.body = body({"elif", "else", "endif"});
    made.arms.push_back(std::move(next));
    const std::string closing = take().text;
    if (closing == "elif") continue;
    if (closing == "endif") return made;
    made.otherwise = body({"endif"});
    take();
    return made;
  }
}

statement parser::read_for() {
  statement made;
  made.what = act::loop;
  made.targets.push_back(target(false, "in"));
  expect_name("in");
  made.expressions.push_back(whole(false, "recursive"));
  made.filtered = skip_name("if");
  if (made.filtered) made.expressions.push_back(any());
  made.recursive = skip_name("recursive");
  const std::size_t before = uses_of_loop_;
  ++loops_;
  made.body = body({"endfor", "else"});
  --loops_;
  made.uses_loop = made.recursive || uses_of_loop_ != before;
  if (take().text == "else") {
    made.otherwise = body({"endfor"});
    take();
  }
  return made;
}

statement parser::read_set() {
  statement made;
  made.targets.push_back(target(true, ""));
  if (skip_sign("=")) {
    made.what = act::set;
    made.expressions.push_back(whole());
    return made;
  }
  made.what = act::set_block;
  // Filters of the block apply to its text, which a constant stands for until then.
  expression filters = constant(value(), now().at);
  while (is_sign("|")) filters = one_filter(std::move(filters));
  made.expressions.push_back(std::move(filters));
  made.body = body({"endset"});
  take();
  return made;
}

// A body that is a function of its own: no loop outside can be left from it.
std::vector<statement> parser::function_body(signature &takes, ends closing) {
  const int loops = loops_;
  loops_ = 0;
  const std::size_t callers = callers_, varargs = varargs_, kwargs = kwargs_;
  std::vector<statement> read = body(closing);
  take();
  takes.caller = callers_ != callers;
  takes.varargs = varargs_ != varargs;
  takes.kwargs = kwargs_ != kwargs;
  loops_ = loops;
  return read;
}

statement parser::read_macro() {
  statement made;
  made.what = act::macro;
  made.text = expect_any_name("the macro's name");
  made.takes.name = symbol(made.text);
  read_parameters(made.takes);
  made.body = function_body(made.takes, {"endmacro"});
  return made;
}

void parser::read_parameters(signature &takes) {
  expect_sign("(");
  while (!is_sign(")")) {
    const position at = now().at;
    const std::string name = expect_any_name("a parameter's name");
    const bool known = std::find(takes.names.begin(), takes.names.end(), name) != takes.names.end();
    if (known || name == "caller" || name == "varargs" || name == "kwargs" || name == "loop")
      fail_at(at, "the parameter \"" + name + "\" is given twice or has a name that is reserved");
    if (takes.names.size() == 255) fail_at(at, "a macro has more than 255 parameters");
    takes.names.push_back(name);
    takes.parameters.push_back(symbol(name));
    if (skip_sign("="))
      takes.defaults.push_back(any());
    else if (!takes.defaults.empty())
      fail("a parameter without a default after one with a default");
    if (!skip_sign(",")) break;
  }
  expect_sign(")");
}

statement parser::read_call() {
  statement made;
  made.what = act::call_block;
  if (is_sign("(")) read_parameters(made.takes);
  made.text = "caller";
  made.expressions.push_back(any());
  if (made.expressions.front().what != op::call) fail("expected the call of a macro");
  made.body = function_body(made.takes, {"endcall"});
  return made;
}

statement parser::read_filter() {
  statement made;
  made.what = act::filter_block;
  expression filters = constant(value(), now().at);
  token bar;  // {% filter NAME %} is as if it were a pipe
  bar.what = token_kind::sign;
  bar.text = "|";
  bar.at = now().at;
  tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(next_), bar);
  while (is_sign("|")) filters = one_filter(std::move(filters));
  made.expressions.push_back(std::move(filters));
  made.body = body({"endfilter"});
  take();
  return made;
}

statement parser::read_with() {
  statement made;
  made.what = act::with;
  while (now().what != token_kind::tag_end) {
    if (!made.targets.empty()) expect_sign(",");
    made.targets.push_back(one_target(false));
    expect_sign("=");
    made.expressions.push_back(any());
  }
  made.body = body({"endwith"});
  take();
  return made;
}

statement parser::read_generation() {
  statement made;
  made.what = act::generation;
  made_.marks_generation = true;
  made.body = function_body(made.takes, {"endgeneration"});
  return made;
}

statement parser::read_print() {
  statement made;
  made.what = act::print;
  while (now().what != token_kind::tag_end) {
    if (!made.expressions.empty()) expect_sign(",");
    made.expressions.push_back(any());
  }
  return made;
}

statement parser::read_jump(act what) {
  statement made;
  made.what = what;
  return made;
}

expression parser::target(bool with_namespace, std::string_view until) {
  const deeper guard(*this);
  const position at = now().at;
  std::vector<expression> parts;
  bool tuple = false;
  while (now().what != token_kind::tag_end && !is_sign(")") && (until.empty() || !is_name(until))) {
    parts.push_back(one_target(with_namespace));
    if (!skip_sign(",")) break;
    tuple = true;
  }
  if (tuple) return joined(op::tuple, at, std::move(parts));
  if (parts.empty()) fail("expected a name to set, not " + found());
  return std::move(parts.front());
}

expression parser::one_target(bool with_namespace) {
  if (skip_sign("(")) {
    expression made = target(false, "");
    expect_sign(")");
    return made;
  }
  expression name = name_target();
  if (!with_namespace || !skip_sign(".")) return name;
  expression made;
  made.what = op::attribute;
  made.at = name.at;
  made.constant = value::constant(expect_any_name("a namespace's name to set"));
  made.parts.push_back(std::move(name));
  return made;
}

expression parser::name_target() {
  const position at = now().at;
  const std::string name = expect_any_name("a name to set");
  for (const char *word : {"true", "false", "none", "True", "False", "None", "loop"})
    if (name == word) fail_at(at, "\"" + name + "\" cannot be set");
  expression made = constant(value::constant(name), at);
  made.what = op::name;
  made.symbol = symbol(name);
  return made;
}

}  // namespace slipstream::jinja

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/templates/lexer.hpp"
#include "models/templates/syntax.hpp"

namespace slipstream::jinja {

/// Makes a program of a template's tokens, by jinja2's grammar. Recursive, so its depth is bounded.
class parser {
 public:
  parser(std::vector<token> tokens, std::string where);
  program read();

 private:
  // parser.cpp: tokens, names, errors
  const token &now() const { return tokens_[next_]; }
  const token &after() const { return tokens_[std::min(next_ + 1, tokens_.size() - 1)]; }
  token take() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool is_sign(std::string_view sign) const { return now().what == token_kind::sign && now().text == sign; }
  bool is_name(std::string_view name) const { return now().what == token_kind::name && now().text == name; }
  bool skip_sign(std::string_view sign);
  bool skip_name(std::string_view name);
  void expect_sign(std::string_view sign);
  void expect_name(std::string_view name);
  std::string expect_any_name(const char *what);
  [[noreturn]] void fail(const std::string &message) const { refuse(made_.where, now().at, message); }
  [[noreturn]] void fail_at(position at, const std::string &message) const {
    refuse(made_.where, at, message);
  }
  std::string found() const;
  int symbol(const std::string &name);

  // statements.cpp
  using ends = std::initializer_list<std::string_view>;
  std::vector<statement> block(ends closing);
  std::vector<statement> body(ends closing);
  void one_tag(std::vector<statement> &into);
  statement tag(const std::string &name, position at);
  statement read_if();
  statement read_for();
  statement read_set();
  statement read_macro();
  statement read_call();
  statement read_filter();
  statement read_with();
  statement read_generation();
  statement read_print();
  statement read_jump(act what);
  std::vector<statement> function_body(signature &takes, ends closing);
  void read_parameters(signature &takes);
  expression target(bool with_namespace, std::string_view until);
  expression one_target(bool with_namespace);
  expression name_target();

  // expressions.cpp
  expression whole(bool conditional = true, std::string_view until = "");  ///< a tuple or one expression
  expression any(bool conditional = true);
  expression conditional();
  expression either();
  expression both();
  expression opposite();
  expression comparing();
  expression sum();
  expression concatenation();
  expression product();
  expression power();
  expression unary(bool with_filter = true);
  expression primary();
  expression named();
  expression text();
  expression parenthesised();
  expression list();
  expression map();
  expression postfix(expression of);
  expression filtered(expression of);
  expression one_filter(expression of);
  expression test(expression of);
  expression subscript(expression of);
  expression subscribed();
  void arguments(expression &into);
  expression joined(op what, position at, std::vector<expression> parts) const;
  void grown(expression &made) const;
  static expression constant(value content, position at);

  struct deeper {
    explicit deeper(parser &of) : of_(of) {
      if (++of.depth_ > 100) of.fail("statements or brackets are nested more than 100 deep");
    }
    ~deeper() { --of_.depth_; }
    deeper(const deeper &) = delete;
    deeper &operator=(const deeper &) = delete;
    parser &of_;
  };

  std::vector<token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0, loops_ = 0;
  program made_;
  std::unordered_map<std::string, int> symbols_;
  std::size_t callers_ = 0, varargs_ = 0, kwargs_ = 0, uses_of_loop_ = 0;  ///< names read so far
};

}  // namespace slipstream::jinja

#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/templates/arguments.hpp"
#include "models/templates/loop.hpp"
#include "models/templates/scope.hpp"
#include "models/templates/syntax.hpp"
#include "models/templates/template.hpp"

namespace slipstream::jinja {

/// One rendering of a program.
class renderer {
 public:
  renderer(const program &what, std::string_view moment, const template_limits &limits);
  rendered_template render(const nlohmann::ordered_json &inputs);

 private:
  enum class flow { on, leave, go_on };

  // renderer.cpp: inputs, output, names
  value from_json(const nlohmann::ordered_json &given);
  void put(std::string_view text);
  void put(const value &what);
  template <class Run>
  std::string captured(const Run &run);
  scope *open_scope(scope *outer, const std::vector<int> &hidden);
  void close_scope(scope *done);
  void keep_scopes();
  value look_up(const expression &name);
  value global(const expression &name) const;
  void assign(const expression &target, const value &what);

  // run.cpp: statements
  flow run(const std::vector<statement> &body);
  flow run(const statement &what);
  void run_in_scope(const statement &what);
  flow run_branch(const statement &what);
  flow run_loop(const statement &what, const value &over, std::int64_t depth);
  void start_loop(loop_object &loop, const statement &what, scope *outer);
  value text_of_block(const statement &what);
  void with_block(const statement &what);
  flow generation(const statement &what);
  value make_macro(const statement &what);
  void call_block(const statement &what);

  // evaluate.cpp: expressions
  value evaluate(const expression &what);
  value operate(const expression &what);
  value logical(const expression &what);
  value sequence(const expression &what);
  value concatenated(const expression &what);
  value item(const expression &what);
  bool compared(const expression &what);
  value filtered(const expression &what);

  // call.cpp
  arguments arguments_of(const expression &what);
  value call(const expression &what);
  value call_value(const value &what, const arguments &given);
  value call_function(const value &what, const arguments &given);
  value call_macro(const macro_object &what, const arguments &given);
  void bind(const macro_object &what, const arguments &given);
  value range(const arguments &given);
  value dict(const arguments &given);
  value name_space(const arguments &given);

  struct deeper {
    explicit deeper(renderer &of) : of_(of) {
      if (++of.depth_ > of.spending_.limits().depth)
        throw complaint("the template goes more than " + std::to_string(of.spending_.limits().depth) +
                        " deep");
      of.spending_.spend();
    }
    ~deeper() { --of_.depth_; }
    deeper(const deeper &) = delete;
    deeper &operator=(const deeper &) = delete;
    renderer &of_;
  };

  const program &program_;
  std::string moment_;
  budget spending_;                    // outlives all values
  std::vector<value> inputs_, names_;  // by symbol
  std::deque<scope> scopes_;
  std::vector<scope *> free_scopes_;
  std::deque<namespace_object> namespaces_;
  std::deque<macro_object> macros_;
  scope *scope_ = nullptr;
  value block_text_;  // what the filters of a block apply to
  rendered_template made_;
  position at_;
  std::size_t depth_ = 0, captures_ = 0, waiting_ = 0, kept_ = 0;
};

template <class Run>
std::string renderer::captured(const Run &run) {
  std::string outside = std::move(made_.text);
  made_.text.clear();
  waiting_ += outside.size();
  ++captures_;
  run();
  --captures_;
  waiting_ -= outside.size();
  std::swap(outside, made_.text);
  return outside;
}

}  // namespace slipstream::jinja

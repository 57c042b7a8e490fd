#include "models/templates/operators.hpp"
#include "models/templates/renderer.hpp"

namespace slipstream::jinja {

renderer::flow renderer::run(const std::vector<statement> &body) {
  for (const statement &each : body)
    if (const flow next = run(each); next != flow::on) return next;
  return flow::on;
}

renderer::flow renderer::run(const statement &what) {
  const deeper guard(*this);
  at_ = what.at;
  switch (what.what) {
    case act::text:
      put(what.text);
      break;
    case act::print:
      for (const expression &each : what.expressions) put(evaluate(each));
      break;
    case act::branch:
      return run_branch(what);
    case act::loop:
      run_loop(what, evaluate(what.expressions.front()), 0);
      break;
    case act::set:
      assign(what.targets.front(), evaluate(what.expressions.front()));
      break;
    case act::set_block:
      assign(what.targets.front(), text_of_block(what));
      break;
    case act::macro:
      scope_->set(what.takes.name, make_macro(what));
      break;
    case act::call_block:
      call_block(what);
      break;
    case act::filter_block:
      put(text_of_block(what));
      break;
    case act::with:
      with_block(what);
      break;
    case act::generation:
      return generation(what);
    case act::leave:
      return flow::leave;
    case act::go_on:
      return flow::go_on;
  }
  return flow::on;
}

renderer::flow renderer::run_branch(const statement &what) {
  for (const arm &each : what.arms)
    if (truth(evaluate(each.condition))) return run(each.body);
  return run(what.otherwise);
}

void renderer::start_loop(loop_object &loop, const statement &what, scope *outer) {
  if (what.filtered)
    loop.passes = [this, &what, outer](const value &each) {
      scope *const inside = scope_;
      scope_ = open_scope(outer, {});
      assign(what.targets.front(), each);
      const bool passes = truth(evaluate(what.expressions[1]));
      close_scope(scope_);
      scope_ = inside;
      return passes;
    };
  if (what.recursive)
    loop.recurse = [this, &what, &loop, outer](const value &over) {
      scope *const inside = scope_;
      scope_ = outer;
      const std::int64_t depth = loop.depth0 + 1;
      std::string text = captured([&] { run_loop(what, over, depth); });
      scope_ = inside;
      return spending_.text(std::move(text));
    };
}

// The body has a scope of its own each time. As in jinja2, "else" follows unless a body came to its end.
renderer::flow renderer::run_loop(const statement &what, const value &over, std::int64_t depth) {
  auto loop = std::make_shared<loop_object>();
  loop->items = items_of(over, spending_);
  spending_.own(*loop, sizeof(loop_object) + loop->items.size() * sizeof(value));
  loop->depth0 = depth;
  start_loop(*loop, what, scope_);
  const value self(kind::loop, loop);
  struct finished {
    ~finished() { of.finish(); }
    loop_object &of;
  } const at_end{*loop};
  bool completed = false;
  flow next = flow::on;
  while (next != flow::leave && loop->step()) {
    scope *const outer = scope_;
    scope_ = open_scope(outer, what.hidden);
    if (what.uses_loop) scope_->set(loop_symbol, self);
    assign(what.targets.front(), loop->current);
    next = run(what.body);
    completed |= next == flow::on;
    close_scope(scope_);
    scope_ = outer;
  }
  if (completed || what.otherwise.empty()) return flow::on;
  scope *const outer = scope_;
  scope_ = open_scope(outer, what.hidden_otherwise);
  run(what.otherwise);
  close_scope(scope_);
  scope_ = outer;
  return flow::on;
}

// The body of what is a function in jinja2: names that it sets stay inside.
void renderer::run_in_scope(const statement &what) {
  scope *const outer = scope_;
  scope_ = open_scope(outer, what.hidden);
  run(what.body);
  close_scope(scope_);
  scope_ = outer;
}

// The text of a set or filter block, behind its filters.
value renderer::text_of_block(const statement &what) {
  value text = spending_.text(captured([&] { run_in_scope(what); }));
  std::swap(block_text_, text);
  value made = evaluate(what.expressions.front());
  std::swap(block_text_, text);
  return made;
}

void renderer::with_block(const statement &what) {
  std::vector<value> values;
  for (const expression &each : what.expressions) values.push_back(evaluate(each));
  scope *const outer = scope_;
  scope_ = open_scope(outer, what.hidden);
  for (std::size_t i = 0; i < values.size(); ++i) assign(what.targets[i], values[i]);
  run(what.body);
  close_scope(scope_);
  scope_ = outer;
}

renderer::flow renderer::generation(const statement &what) {
  const std::size_t from = made_.text.size();
  run_in_scope(what);
  if (captures_ > 0)
    made_.spans_known = false;
  else
    made_.generated.push_back({from, made_.text.size()});
  return flow::on;
}

value renderer::make_macro(const statement &what) {
  keep_scopes();
  macro_object &made = macros_.emplace_back();
  spending_.own(made, sizeof(macro_object));
  made.takes = &what.takes;
  made.made_by = &what;
  made.outer = scope_;
  made.name = what.text;
  return value(kind::macro, &made);
}

void renderer::call_block(const statement &what) {
  const expression &callee = what.expressions.front();
  const value called = evaluate(callee.parts.front());
  arguments given = arguments_of(callee);
  given.named.emplace_back("caller", make_macro(what));
  at_ = callee.at;
  put(call_value(called, given));
}

}  // namespace slipstream::jinja

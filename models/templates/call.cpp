#include <algorithm>

#include "models/templates/date.hpp"
#include "models/templates/methods.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/renderer.hpp"

namespace slipstream::jinja {
namespace {

constexpr std::int64_t longest_range = 100000;  // as jinja2's sandbox has it

}  // namespace

arguments renderer::arguments_of(const expression &what) {
  arguments given;
  for (std::size_t i = 1; i < what.parts.size(); ++i) {
    const std::string &keyword = what.keywords[i - 1];
    value each = evaluate(what.parts[i]);
    if (keyword.empty()) {
      given.positional.push_back(std::move(each));
    } else if (keyword == "*") {
      for (value &item : items_of(each, spending_)) given.positional.push_back(std::move(item));
    } else if (keyword == "**") {
      if (!each.is(kind::map)) throw complaint(std::string("** before ") + type_name(each));
      for (const auto &[key, content] : each.map().entries) {
        if (!key.is_text()) throw complaint("** before a dict whose keys are not strings");
        given.named.emplace_back(key.text(), content);
      }
    } else {
      given.named.emplace_back(keyword, std::move(each));
    }
  }
  for (std::size_t i = 0; i < given.named.size(); ++i, spending_.spend(i))
    for (std::size_t j = 0; j < i; ++j)
      if (given.named[i].first == given.named[j].first)
        throw complaint("the argument \"" + given.named[i].first + "\" is given twice");
  return given;
}

value renderer::call(const expression &what) {
  const expression &callee = what.parts.front();
  if (callee.what != op::attribute) {
    const value called = evaluate(callee);
    const arguments given = arguments_of(what);
    at_ = what.at;
    return call_value(called, given);
  }
  const value self = evaluate(callee.parts.front());
  at_ = callee.at;
  const std::string_view name = callee.constant.text();
  const bool direct = !self.is_undefined() && has_method(self, name);
  const value called = direct ? value() : attribute_of(self, callee.constant, spending_);
  const arguments given = arguments_of(what);
  at_ = callee.at;
  return direct ? call_method(self, name, given, spending_) : call_value(called, given);
}

value renderer::call_value(const value &what, const arguments &given) {
  switch (what.what()) {
    case kind::function:
      return call_function(what, given);
    case kind::macro:
      return call_macro(what.macro(), given);
    case kind::method:
      return call_method(what.method().self, what.method().name.text(), given, spending_);
    case kind::loop: {
      const bound args("loop", given, {"iterable"}, 1);
      if (!what.loop().recurse) throw complaint("loop is called in a loop that is not recursive or over");
      return what.loop().recurse(*args.get(0));
    }
    case kind::undefined:
      refuse_undefined(what);
    default:
      throw complaint(std::string(type_name(what)) + " is called, which is no function");
  }
}

value renderer::call_function(const value &what, const arguments &given) {
  switch (what.called()) {
    case function::range:
      return range(given);
    case function::dict:
      return dict(given);
    case function::name_space:
      return name_space(given);
    case function::loop_cycle:
      return loop_cycle(what.loop(), given);
    case function::loop_changed:
      return loop_changed(what.loop(), given, spending_);
    case function::strftime_now: {
      const bound args("strftime_now", given, {"format"}, 1);
      if (moment_.empty())
        throw complaint("the template asks for the date by strftime_now, and none was given");
      return spending_.text(formatted_date(args.text(0), moment_));
    }
    case function::raise_exception: {
      const bound args("raise_exception", given, {"message"}, 1);
      std::string message;
      print(message, *args.get(0), spending_);
      throw complaint("the template refuses this: " + message);
    }
  }
  return {};
}

value renderer::call_macro(const macro_object &what, const arguments &given) {
  const deeper guard(*this);
  scope *const outside = scope_;
  const position called_at = at_;
  scope_ = open_scope(what.outer, what.made_by->hidden);
  bind(what, given);
  std::string text = captured([&] { run(what.made_by->body); });
  close_scope(scope_);
  scope_ = outside;
  at_ = called_at;
  return spending_.text(std::move(text));
}

// Sets a macro's parameters: by place, by name, by default, else undefined.
void renderer::bind(const macro_object &what, const arguments &given) {
  const signature &takes = *what.takes;
  const std::size_t count = takes.names.size(), plain = count - takes.defaults.size();
  std::vector<bool> used(given.named.size());
  const auto named = [&](const std::string &name) -> const value * {
    for (std::size_t i = 0; i < given.named.size(); ++i)
      if (given.named[i].first == name && !used[i]) return used[i] = true, &given.named[i].second;
    return nullptr;
  };
  std::vector<const value *> found(count);
  for (std::size_t i = 0; i < count; ++i)
    found[i] = i < given.positional.size() ? &given.positional[i] : named(takes.names[i]);
  if (takes.caller) {
    const value *caller = named("caller");
    scope_->set(caller_symbol, caller ? *caller : value::undefined("no caller is defined"));
  }
  std::vector<std::pair<value, value>> rest;
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    if (!takes.kwargs)
      throw complaint("the macro \"" + what.name + "\" takes no argument \"" + given.named[i].first + "\"");
    rest.emplace_back(spending_.text(given.named[i].first), given.named[i].second);
  }
  if (takes.kwargs) scope_->set(kwargs_symbol, spending_.map(std::move(rest)));
  if (given.positional.size() > count && !takes.varargs)
    throw complaint("the macro \"" + what.name + "\" takes at most " + std::to_string(count) + " arguments");
  if (takes.varargs) {
    const auto from = std::min(count, given.positional.size());
    scope_->set(varargs_symbol,
                spending_.sequence(
                    {given.positional.begin() + static_cast<std::ptrdiff_t>(from), given.positional.end()},
                    kind::tuple));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (found[i])
      scope_->set(takes.parameters[i], *found[i]);
    else if (i >= plain)
      scope_->set(takes.parameters[i], evaluate(takes.defaults[i - plain]));
    else
      scope_->set(takes.parameters[i],
                  value::undefined("the macro was not given ", spending_.text(takes.names[i])));
  }
}

value renderer::range(const arguments &given) {
  const bound args("range", given, {"start", "stop", "step"}, 1);
  const bool only_stop = !args.get(1);
  const std::int64_t start = only_stop ? 0 : args.integer(0),
                     stop = only_stop ? args.integer(0) : args.integer(1), step = args.integer(2, 1);
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (step == 0) throw complaint("range: the step is zero");
  for (const std::int64_t each : {start, stop, step})
    if (each > most || each < -most) throw complaint("range: a bound is too large");
  range_object made;
  made.start = start, made.stop = stop, made.step = step;
  if (made.size() > longest_range) throw complaint("range: more than 100000 numbers");
  return spending_.range(start, stop, step);
}

value renderer::dict(const arguments &given) {
  if (given.positional.size() > 1) throw complaint("dict takes at most one value without a name");
  std::vector<std::pair<value, value>> entries;
  if (!given.positional.empty()) {
    const value &from = given.positional.front();
    if (from.is(kind::map)) {
      entries = from.map().entries;
    } else {
      for (const value &each : items_of(from, spending_)) {
        const std::vector<value> pair = items_of(each, spending_);
        if (pair.size() != 2) throw complaint("dict: an item is no pair");
        entries.emplace_back(pair[0], pair[1]);
      }
    }
  }
  for (const auto &[name, content] : given.named) entries.emplace_back(spending_.text(name), content);
  return spending_.map(std::move(entries));
}

value renderer::name_space(const arguments &given) {
  const value from = dict(given);
  namespace_object &made = namespaces_.emplace_back();
  spending_.own(made, sizeof(namespace_object) + from.map().entries.size() * sizeof(value));
  for (const auto &[key, content] : from.map().entries) {
    if (!key.is_text()) throw complaint("namespace: a name is no string");
    made.names.emplace_back(key.text(), content);
  }
  return value(kind::name_space, &made);
}

}  // namespace slipstream::jinja

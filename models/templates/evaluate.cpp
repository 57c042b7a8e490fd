#include "models/templates/compare.hpp"
#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/renderer.hpp"
#include "models/templates/tests.hpp"

namespace slipstream::jinja {

value renderer::evaluate(const expression &what) {
  const deeper guard(*this);
  at_ = what.at;
  switch (what.what) {
    case op::constant:
      return what.constant.is(kind::absent) ? block_text_ : what.constant;
    case op::name:
      return look_up(what);
    case op::attribute: {
      const value of = evaluate(what.parts.front());
      at_ = what.at;
      return attribute_of(of, what.constant, spending_);
    }
    case op::item:
      return item(what);
    case op::call:
      return call(what);
    case op::filter:
      return filtered(what);
    case op::compare:
      return value(compared(what));
    case op::concatenate:
      return concatenated(what);
    case op::tuple:
    case op::list:
    case op::map:
      return sequence(what);
    case op::conditional:
    case op::both:
    case op::either:
    case op::opposite:
    case op::test:
      return logical(what);
    default:
      return operate(what);
  }
}

value renderer::operate(const expression &what) {
  const value left = evaluate(what.parts.front());
  if (what.what == op::negate || what.what == op::plus) {
    at_ = what.at;
    const value made = negated(left);
    return what.what == op::negate ? made : left.is(kind::boolean) ? value(left.integer()) : left;
  }
  if (what.what == op::slice) throw complaint("a slice among several subscripts is not supported");
  const value right = evaluate(what.parts[1]);
  at_ = what.at;
  return calculate(what.what, left, right, spending_);
}

value renderer::logical(const expression &what) {
  value first = evaluate(what.parts.front());
  switch (what.what) {
    case op::opposite:
      return value(!truth(first));
    case op::conditional:
      if (truth(first)) return evaluate(what.parts[1]);
      if (what.parts.size() > 2) return evaluate(what.parts[2]);
      return value::undefined("the inline if was false and has no else");
    case op::test: {
      const arguments given = arguments_of(what);
      at_ = what.at;
      return value(what.test->call(first, given, spending_) != what.negated);
    }
    default:
      break;
  }
  const bool stops_at = what.what == op::either;
  for (std::size_t i = 1; i < what.parts.size() && truth(first) != stops_at; ++i)
    first = evaluate(what.parts[i]);
  return first;
}

value renderer::sequence(const expression &what) {
  if (what.what == op::map) {
    std::vector<std::pair<value, value>> entries;
    for (std::size_t i = 0; i < what.parts.size(); i += 2) {
      value key = evaluate(what.parts[i]);
      entries.emplace_back(std::move(key), evaluate(what.parts[i + 1]));
    }
    at_ = what.at;
    return spending_.map(std::move(entries));
  }
  std::vector<value> items;
  items.reserve(what.parts.size());
  for (const expression &each : what.parts) items.push_back(evaluate(each));
  return spending_.sequence(std::move(items), what.what == op::list ? kind::list : kind::tuple);
}

value renderer::concatenated(const expression &what) {
  std::string text;
  for (const expression &each : what.parts) {
    const value part = evaluate(each);
    if (part.is(kind::safe_text))
      throw complaint("text from the filters safe and escape is joined by ~, which is not supported");
    print(text, part, spending_);
  }
  at_ = what.at;
  return spending_.text(std::move(text));
}

value renderer::item(const expression &what) {
  const value of = evaluate(what.parts[0]);
  const expression &key = what.parts[1];
  if (key.what != op::slice) {
    const value found = evaluate(key);
    at_ = what.at;
    return item_of(of, found, spending_);
  }
  const value start = evaluate(key.parts[0]), stop = evaluate(key.parts[1]), step = evaluate(key.parts[2]);
  at_ = what.at;
  return slice_of(of, start, stop, step, spending_);
}

// A chain stops at the first that does not hold.
bool renderer::compared(const expression &what) {
  value left = evaluate(what.parts.front());
  for (std::size_t i = 0; i < what.operators.size(); ++i) {
    value right = evaluate(what.parts[i + 1]);
    at_ = what.at;
    if (!compare(left, what.operators[i], right, spending_)) return false;
    left = std::move(right);
  }
  return true;
}

value renderer::filtered(const expression &what) {
  const value self = evaluate(what.parts.front());
  const arguments given = arguments_of(what);
  at_ = what.at;
  return what.filter->call(self, given, spending_);
}

}  // namespace slipstream::jinja

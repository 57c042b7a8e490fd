#include "models/templates/loop.hpp"

#include "models/templates/compare.hpp"

namespace slipstream::jinja {

// The next item that passes; absent at the end.
value loop_object::fetch() {
  while (next < items.size()) {
    const value &each = items[next++];
    if (!passes || passes(each)) return each;
  }
  return {};
}

const value &loop_object::peek() {
  if (after.is(kind::absent)) after = fetch();
  return after;
}

bool loop_object::step() {
  value found = after.is(kind::absent) ? fetch() : std::move(after);
  after = value();
  if (found.is(kind::absent)) return false;
  ++index0;
  before = std::move(current);
  current = std::move(found);
  return true;
}

// With a filter, all that is left is looked at.
std::int64_t loop_object::count() {
  if (length >= 0) return length;
  if (!passes) return length = static_cast<std::int64_t>(items.size());
  std::vector<value> rest;
  for (value each = fetch(); !each.is(kind::absent); each = fetch()) rest.push_back(std::move(each));
  length = index0 + 1 + static_cast<std::int64_t>(rest.size()) + (after.is(kind::absent) ? 0 : 1);
  items = std::move(rest);
  next = 0;
  passes = nullptr;
  return length;
}

void loop_object::finish() {
  items.clear();
  passes = nullptr;
  recurse = nullptr;
  before = current = after = changed_from = value();
}

value loop_field(const value &self, std::string_view name) {
  loop_object &of = self.loop();
  if (name == "index") return value(of.index0 + 1);
  if (name == "index0") return value(of.index0);
  if (name == "first") return value(of.index0 == 0);
  if (name == "last") return value(of.peek().is(kind::absent));
  if (name == "length") return value(of.count());
  if (name == "revindex") return value(of.count() - of.index0);
  if (name == "revindex0") return value(of.count() - of.index0 - 1);
  if (name == "depth") return value(of.depth0 + 1);
  if (name == "depth0") return value(of.depth0);
  if (name == "previtem") return of.index0 == 0 ? value::undefined("there is no previous item") : of.before;
  if (name == "nextitem")
    return of.peek().is(kind::absent) ? value::undefined("there is no next item") : of.peek();
  if (name == "cycle") return value(function::loop_cycle, self.shared());
  if (name == "changed") return value(function::loop_changed, self.shared());
  return {};
}

value loop_cycle(const loop_object &of, const arguments &given) {
  if (given.positional.empty() || !given.named.empty())
    throw complaint("loop.cycle needs values to go around");
  return given.positional[static_cast<std::size_t>(of.index0) % given.positional.size()];
}

value loop_changed(loop_object &of, const arguments &given, budget &spending) {
  if (!given.named.empty()) throw complaint("loop.changed takes no named argument");
  value now = spending.sequence(given.positional, kind::tuple);
  if (!of.changed_from.is(kind::absent) && equal(of.changed_from, now, spending)) return value(false);
  of.changed_from = std::move(now);
  return value(true);
}

}  // namespace slipstream::jinja

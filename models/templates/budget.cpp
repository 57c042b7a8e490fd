#include "models/templates/budget.hpp"

#include "models/templates/compare.hpp"
#include "models/templates/scope.hpp"

namespace slipstream::jinja {
namespace {

constexpr std::size_t indexed_from = 9;  // entries of a map that are worth an index

unsigned depth_of(const value &each) {
  switch (each.what()) {
    case kind::list:
    case kind::tuple:
    case kind::view:
    case kind::generator:
      return each.sequence().depth;
    case kind::map:
      return each.map().depth;
    case kind::method:
      return depth_of(each.method().self);
    default:
      return 0;
  }
}

void deepen(unsigned &depth, const value &child) {
  depth = std::max(depth, depth_of(child) + 1);
  if (depth > deepest_value) throw complaint("a value is nested more than 200 deep");
}

// The place of an equal key among a map's entries; their count when there is none.
std::size_t place_of(const map_object &map, std::size_t hash, const value &key, bool indexed,
                     budget &spending) {
  const auto same = [&](std::size_t at) { return equal(map.entries[at].first, key, spending); };
  if (!indexed) {
    std::size_t at = 0;
    while (at < map.entries.size() && !same(at)) ++at;
    return at;
  }
  const auto [from, to] = map.index.equal_range(hash);
  for (auto each = from; each != to; ++each)
    if (same(each->second)) return each->second;
  return map.entries.size();
}

}  // namespace

void budget::exhausted(const char *what, std::size_t limit) {
  throw complaint("the template needs more than " + std::to_string(limit) + " " + what);
}

value budget::text(std::string content, kind what) {
  spend(1 + content.size() / 32);
  auto made = std::make_shared<text_object>();
  own(*made, sizeof(text_object) + content.size());
  made->text = std::move(content);
  return value(what, std::move(made));
}

value budget::sequence(std::vector<value> items, kind what, const char *name) {
  spend(1 + items.size());
  auto made = std::make_shared<sequence_object>();
  own(*made, sizeof(sequence_object) + items.size() * sizeof(value));
  for (const value &each : items) deepen(made->depth, each);
  made->items = std::move(items);
  made->name = name;
  return value(what, std::move(made));
}

value budget::map(std::vector<std::pair<value, value>> entries) {
  spend(1 + entries.size());
  auto made = std::make_shared<map_object>();
  own(*made, sizeof(map_object) + entries.size() * (2 * sizeof(value) + 48));
  const bool indexed = entries.size() >= indexed_from;
  for (auto &[key, content] : entries) {
    deepen(made->depth, key);
    deepen(made->depth, content);
    const std::size_t hash = hash_of(key), at = place_of(*made, hash, key, indexed, *this);
    if (at < made->entries.size()) {
      made->entries[at].second = std::move(content);
      continue;
    }
    if (indexed) made->index.emplace(hash, at);
    made->entries.emplace_back(std::move(key), std::move(content));
  }
  return value(kind::map, std::move(made));
}

value budget::range(std::int64_t start, std::int64_t stop, std::int64_t step) {
  auto made = std::make_shared<range_object>();
  own(*made, sizeof(range_object));
  made->start = start;
  made->stop = stop;
  made->step = step;
  return value(kind::range, std::move(made));
}

value budget::method(value of, value name) {
  auto made = std::make_shared<method_object>();
  own(*made, sizeof(method_object));
  made->self = std::move(of);
  made->name = std::move(name);
  if (depth_of(made->self) >= deepest_value) throw complaint("a value is nested more than 200 deep");
  return value(kind::method, std::move(made));
}

}  // namespace slipstream::jinja

#include "models/templates/tests.hpp"

#include <array>

#include "models/templates/compare.hpp"
#include "models/templates/filters.hpp"
#include "models/templates/methods.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"

namespace slipstream::jinja {
namespace {

template <kind... Kinds>
bool is_one_of(const value &self, const arguments &given, budget &) {
  const bound none("a test", given, {});
  return (self.is(Kinds) || ...);
}

template <bool Wanted>
bool is_flag(const value &self, const arguments &given, budget &) {
  const bound none("a test", given, {});
  return self.is(kind::boolean) && (self.integer() != 0) == Wanted;
}

bool is_defined(const value &self, const arguments &given, budget &) {
  const bound none("defined", given, {});
  return !self.is_undefined();
}

template <comparison How>
bool compares(const value &self, const arguments &given, budget &spending) {
  const bound args("a test", given, {"other"}, 1);
  return compare(self, How, *args.get(0), spending);
}

bool divides(const value &self, std::int64_t by, std::int64_t rest, budget &spending) {
  return equal(calculate(op::modulo, self, value(by), spending), value(rest), spending);
}

template <std::int64_t Rest>
bool has_rest(const value &self, const arguments &given, budget &spending) {
  const bound none("odd and even", given, {});
  return divides(self, 2, Rest, spending);
}

bool is_divisible(const value &self, const arguments &given, budget &spending) {
  const bound args("divisibleby", given, {"num"}, 1);
  return equal(calculate(op::modulo, self, *args.get(0), spending), value(std::int64_t{0}), spending);
}

// Python's "is" between values that exist once; of others it depends on where they were made.
bool is_same(const value &self, const arguments &given, budget &) {
  const bound args("sameas", given, {"other"}, 1);
  const value &other = *args.get(0);
  const auto once = [](const value &each) { return each.is(kind::none) || each.is(kind::boolean); };
  if (once(self) || once(other))
    return self.what() == other.what() && (self.is(kind::none) || self.integer() == other.integer());
  throw complaint("the test sameas is supported for none, true and false only");
}

template <bool Upper>
bool has_case(const value &self, const arguments &given, budget &spending) {
  const bound none("upper and lower", given, {});
  const value text = printed(self, spending);
  return truth(find_text_test(Upper ? "isupper" : "islower")(text, given, spending));
}

bool is_filter(const value &self, const arguments &given, budget &) {
  const bound none("filter", given, {});
  hash_of(self);  // refuses what cannot be looked up
  return self.is_text() && is_jinja_filter(self.text());
}

bool is_test(const value &self, const arguments &given, budget &) {
  const bound none("test", given, {});
  hash_of(self);
  return self.is_text() && find_test(self.text());
}

constexpr std::array test_rows{
    test_row{"defined", is_defined},
    test_row{"undefined", is_one_of<kind::undefined>},
    test_row{"none", is_one_of<kind::none>},
    test_row{"boolean", is_one_of<kind::boolean>},
    test_row{"true", is_flag<true>},
    test_row{"false", is_flag<false>},
    test_row{"integer", is_one_of<kind::integer>},
    test_row{"float", is_one_of<kind::real>},
    test_row{"number", is_one_of<kind::integer, kind::real, kind::boolean>},
    test_row{"string", is_one_of<kind::text, kind::safe_text>},
    test_row{"mapping", is_one_of<kind::map>},
    test_row{"sequence", is_one_of<kind::text, kind::safe_text, kind::list, kind::tuple, kind::map,
                                   kind::range, kind::undefined>},
    test_row{"iterable", is_one_of<kind::text, kind::safe_text, kind::list, kind::tuple, kind::map,
                                   kind::view, kind::generator, kind::range, kind::undefined, kind::loop>},
    test_row{"callable", is_one_of<kind::macro, kind::function, kind::method, kind::undefined>},
    test_row{"escaped", is_one_of<kind::safe_text>},
    test_row{"odd", has_rest<1>},
    test_row{"even", has_rest<0>},
    test_row{"divisibleby", is_divisible},
    test_row{"sameas", is_same},
    test_row{"upper", has_case<true>},
    test_row{"lower", has_case<false>},
    test_row{"filter", is_filter},
    test_row{"test", is_test},
    test_row{"in", compares<comparison::in>},
    test_row{"eq", compares<comparison::equal>},
    test_row{"equalto", compares<comparison::equal>},
    test_row{"==", compares<comparison::equal>},
    test_row{"ne", compares<comparison::unequal>},
    test_row{"!=", compares<comparison::unequal>},
    test_row{"lt", compares<comparison::less>},
    test_row{"lessthan", compares<comparison::less>},
    test_row{"<", compares<comparison::less>},
    test_row{"le", compares<comparison::at_most>},
    test_row{"<=", compares<comparison::at_most>},
    test_row{"gt", compares<comparison::greater>},
    test_row{"greaterthan", compares<comparison::greater>},
    test_row{">", compares<comparison::greater>},
    test_row{"ge", compares<comparison::at_least>},
    test_row{">=", compares<comparison::at_least>}};

}  // namespace

const test_row *find_test(std::string_view name) {
  for (const test_row &each : test_rows)
    if (each.name == name) return &each;
  return nullptr;
}

std::string test_names() {
  std::string all;
  for (const test_row &each : test_rows) all += (all.empty() ? "" : ", ") + std::string(each.name);
  return all;
}

}  // namespace slipstream::jinja

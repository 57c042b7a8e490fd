#include "models/templates/operators.hpp"

#include <cmath>

#include "models/templates/printing.hpp"

namespace slipstream::jinja {
namespace {

const char *sign_of(op what) {
  switch (what) {
    case op::add:
      return "+";
    case op::subtract:
      return "-";
    case op::multiply:
      return "*";
    case op::divide:
      return "/";
    case op::floor_divide:
      return "//";
    case op::modulo:
      return "%";
    default:
      return "**";
  }
}

[[noreturn]] void too_large() {
  throw complaint("a whole number goes beyond 64 bits, which is not supported");
}

[[noreturn]] void by_zero() {
  throw complaint("a division by zero");
}

value whole_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) by_zero();
    return value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t made = 1;
  if (base == 0 || base == 1) return value(exponent == 0 ? std::int64_t{1} : base);
  if (base == -1) return value(exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1});
  for (; exponent > 0; --exponent)
    if (__builtin_mul_overflow(made, base, &made)) too_large();
  return value(made);
}

value whole_quotient(op what, std::int64_t a, std::int64_t b) {
  if (b == 0) by_zero();
  constexpr std::int64_t exact = std::int64_t{1} << 53;
  if (what == op::divide) {
    if (a > exact || a < -exact || b > exact || b < -exact) too_large();
    return value(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) {
    std::int64_t made = 0;
    if (what == op::floor_divide && __builtin_sub_overflow(std::int64_t{0}, a, &made)) too_large();
    return value(made);
  }
  const std::int64_t rest = a % b;
  const bool shifted = rest != 0 && (rest < 0) != (b < 0);
  return what == op::modulo ? value(rest + (shifted ? b : 0)) : value(a / b - (shifted ? 1 : 0));
}

value whole(op what, std::int64_t a, std::int64_t b) {
  std::int64_t made = 0;
  bool over = false;
  switch (what) {
    case op::add:
      over = __builtin_add_overflow(a, b, &made);
      break;
    case op::subtract:
      over = __builtin_sub_overflow(a, b, &made);
      break;
    case op::multiply:
      over = __builtin_mul_overflow(a, b, &made);
      break;
    case op::power:
      return whole_power(a, b);
    default:
      return whole_quotient(what, a, b);
  }
  if (over) too_large();
  return value(made);
}

// Python's: the remainder has the divisor's sign.
double real_modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  return rest == 0 ? std::copysign(0.0, b) : rest;
}

double real_floor(double a, double b) {
  const double rest = real_modulo(a, b), quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

double real_power(double a, double b) {
  if (a == 0 && b < 0) by_zero();
  if (a < 0 && std::isfinite(a) && b != std::floor(b)) throw complaint("a complex number is not supported");
  const double made = std::pow(a, b);
  if (std::isinf(made) && std::isfinite(a) && std::isfinite(b)) throw complaint("a float overflows");
  return made;
}

value real(op what, double a, double b) {
  switch (what) {
    case op::add:
      return value(a + b);
    case op::subtract:
      return value(a - b);
    case op::multiply:
      return value(a * b);
    case op::power:
      return value(real_power(a, b));
    default:
      break;
  }
  if (b == 0) by_zero();
  if (what == op::divide) return value(a / b);
  return value(what == op::modulo ? real_modulo(a, b) : real_floor(a, b));
}

value joined(const value &left, const value &right, budget &spending) {
  if (left.is_text()) {
    spending.room(left.text().size() + right.text().size());
    std::string made(left.text());
    return spending.text(std::move(made += right.text()));
  }
  spending.room((left.items().size() + right.items().size()) * sizeof(value));
  std::vector<value> made = left.items();
  made.insert(made.end(), right.items().begin(), right.items().end());
  return spending.sequence(std::move(made), left.what());
}

value repeated(const value &of, std::int64_t given, budget &spending) {
  const bool text = of.is_text();
  const std::size_t size = text ? of.text().size() : of.items().size(),
                    bytes = size * (text ? 1 : sizeof(value));
  const auto times = given <= 0 || size == 0 ? 0 : static_cast<std::size_t>(given);
  if (times > 0 && times > spending.limits().memory / bytes) spending.room(spending.limits().memory + 1);
  spending.room(bytes * times);
  spending.spend(times);
  if (text) {
    std::string made;
    made.reserve(bytes * times);
    for (std::size_t i = 0; i < times; ++i) made += of.text();
    return spending.text(std::move(made));
  }
  std::vector<value> made;
  for (std::size_t i = 0; i < times; ++i) made.insert(made.end(), of.items().begin(), of.items().end());
  return spending.sequence(std::move(made), of.what());
}

bool repeats(const value &of) {
  return of.is_text() || of.is(kind::list) || of.is(kind::tuple);
}

}  // namespace

void refuse_undefined(const value &what) {
  throw complaint(what.undefined_message());
}

value negated(const value &of) {
  if (of.is(kind::real)) return value(-of.real());
  if (of.is_whole()) return whole(op::subtract, 0, of.integer());
  if (of.is_undefined()) refuse_undefined(of);
  throw complaint(std::string("a sign before ") + type_name(of));
}

value calculate(op what, const value &left, const value &right, budget &spending) {
  if (left.is_undefined()) refuse_undefined(left);
  if (what == op::modulo && left.is_text()) return formatted(left.text(), right, spending);
  if (right.is_undefined()) refuse_undefined(right);
  if (left.is_whole() && right.is_whole()) return whole(what, left.integer(), right.integer());
  if (left.is_number() && right.is_number()) return real(what, left.as_real(), right.as_real());
  if (what == op::add && left.what() == right.what() && repeats(left)) return joined(left, right, spending);
  if (what == op::multiply && repeats(left) && right.is_whole())
    return repeated(left, right.integer(), spending);
  if (what == op::multiply && repeats(right) && left.is_whole())
    return repeated(right, left.integer(), spending);
  throw complaint(std::string("there is no \"") + sign_of(what) + "\" between " + type_name(left) + " and " +
                  type_name(right));
}

}  // namespace slipstream::jinja

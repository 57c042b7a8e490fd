#include "models/arithmetic/floors.hpp"

#include "models/arithmetic/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/arithmetic/floors.cpp"
#include <hwy/foreach_target.h>

#include "models/arithmetic/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace slipstream::arithmetic::HWY_NAMESPACE {

float read_through(const float *from, std::size_t n) {
  vector sums[8];
  for (auto &sum : sums) sum = hn::Zero(floats());
  for (std::size_t i = 0; i + 8 * width <= n; i += 8 * width)
    for (std::size_t j = 0; j < 8; ++j) sums[j] = hn::Add(sums[j], load(from + i + j * width));
  vector all_sums = sums[0];
  for (std::size_t j = 1; j < 8; ++j) all_sums = hn::Add(all_sums, sums[j]);
  HWY_ALIGN float each[width];
  hn::Store(all_sums, floats(), each);
  return each[0];
}

// Ten independent chains hide the latency of a multiply-add.
float multiply_add(std::size_t rounds) {
  vector sums[10];
  for (auto &sum : sums) sum = all(1.0f);
  const vector x = all(0.999f), y = all(0.001f);
  for (std::size_t i = 0; i < rounds; ++i)
    for (auto &sum : sums) sum = fused(sum, x, y);
  vector all_sums = sums[0];
  for (std::size_t j = 1; j < 10; ++j) all_sums = hn::Add(all_sums, sums[j]);
  HWY_ALIGN float each[width];
  hn::Store(all_sums, floats(), each);
  return each[0];
}

std::size_t lanes() {
  return width;
}

}  // namespace slipstream::arithmetic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipstream::arithmetic {
namespace {

HWY_EXPORT(read_through);
HWY_EXPORT(multiply_add);
HWY_EXPORT(lanes);

}  // namespace

float read_all(const float *from, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(read_through)(from, n);
}

float multiply_adds(std::size_t rounds) {
  return HWY_DYNAMIC_DISPATCH(multiply_add)(rounds);
}

std::size_t operations_of(std::size_t rounds) {
  return 20 * rounds * HWY_DYNAMIC_DISPATCH(lanes)();
}

}  // namespace slipstream::arithmetic
#endif

#include "models/arithmetic/floors.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

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

// Seconds that the quickest of some rounds took, each of which all threads begin together.
double best_seconds(std::int64_t threads, const std::function<void(std::int64_t)> &work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    std::atomic<std::int64_t> ready{0};
    std::vector<std::thread> others;
    std::chrono::steady_clock::time_point began;
    const auto enter = [&](std::int64_t index) {
      ++ready;
      while (ready < threads) std::this_thread::yield();
      if (index == 0) began = std::chrono::steady_clock::now();
      work(index);
    };
    for (std::int64_t i = 1; i < threads; ++i) others.emplace_back(enter, i);
    enter(0);
    for (auto &other : others) other.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

std::atomic<float> kept;  // so that no result is thrown away, and the work with it

}  // namespace

double read_bandwidth(std::int64_t threads) {
  constexpr std::size_t floats_a_thread = std::size_t{64} << 20;
  const std::vector<float> memory(floats_a_thread * static_cast<std::size_t>(threads), 1.0f);
  const double seconds = best_seconds(threads, [&](std::int64_t i) {
    kept = HWY_DYNAMIC_DISPATCH(read_through)(memory.data() + static_cast<std::size_t>(i) * floats_a_thread,
                                              floats_a_thread);
  });
  return static_cast<double>(memory.size() * sizeof(float)) / seconds;
}

double peak_operations(std::int64_t threads) {
  constexpr std::size_t rounds = 10000000;
  const double seconds =
      best_seconds(threads, [&](std::int64_t) { kept = HWY_DYNAMIC_DISPATCH(multiply_add)(rounds); });
  return 20.0 * static_cast<double>(rounds * HWY_DYNAMIC_DISPATCH(lanes)()) * static_cast<double>(threads) /
         seconds;
}

}  // namespace slipstream::arithmetic
#endif

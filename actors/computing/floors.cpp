#include "actors/computing/floors.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "models/arithmetic/floors.hpp"

namespace slipstream {
namespace {

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
  constexpr std::size_t floats = std::size_t{64} << 20;
  const std::vector<float> memory(floats * static_cast<std::size_t>(threads), 1.0f);
  const double seconds = best_seconds(threads, [&](std::int64_t i) {
    kept = arithmetic::read_all(memory.data() + static_cast<std::size_t>(i) * floats, floats);
  });
  return static_cast<double>(memory.size() * sizeof(float)) / seconds;
}

double peak_operations(std::int64_t threads) {
  constexpr std::size_t rounds = 10000000;
  const double seconds =
      best_seconds(threads, [&](std::int64_t) { kept = arithmetic::multiply_adds(rounds); });
  return static_cast<double>(arithmetic::operations_of(rounds)) * static_cast<double>(threads) / seconds;
}

}  // namespace slipstream

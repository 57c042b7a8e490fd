#include "models/arithmetic/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace slipstream::arithmetic {
namespace {

// Below this a second thread costs more than it brings, since it has to be woken.
constexpr double worthwhile = 200000;

std::size_t threads_for(std::size_t parts, double cost) {
#ifdef _OPENMP
  if (cost < worthwhile || omp_in_parallel()) return 1;
  return std::min(parts, static_cast<std::size_t>(omp_get_max_threads()));
#else
  static_cast<void>(cost);
  return std::min<std::size_t>(parts, 1);
#endif
}

}  // namespace

void share(std::size_t parts, double cost, const std::function<void(std::size_t)> &work) {
  const std::size_t threads = threads_for(parts, cost);
  std::atomic<std::size_t> next{0};
  std::exception_ptr problem;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  const auto take = [&] {
    try {
      for (std::size_t i = next++; i < parts; i = next++) work(i);
    } catch (...) {  // an exception must not leave a parallel region
      if (!failed.test_and_set()) problem = std::current_exception();
    }
  };
  if (threads <= 1) {
    take();
  } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(static_cast <int>(threads))
    take();
#endif
  }
  if (problem) std::rethrow_exception(problem);
}

void share_range(std::size_t parts, double cost, const std::function<void(std::size_t, std::size_t)> &work) {
  const std::size_t threads = threads_for(parts, cost);
  if (threads <= 1) return work(0, parts);
  share(threads, cost, [&](std::size_t i) { work(parts * i / threads, parts * (i + 1) / threads); });
}

}  // namespace slipstream::arithmetic

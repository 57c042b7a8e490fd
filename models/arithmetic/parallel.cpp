#include "models/arithmetic/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace slipstream::arithmetic {
namespace {

using part_function = std::function<void(std::size_t)>;

// Below this a second thread costs more than it brings: where it has to be woken, and where it stands by.
constexpr double worth_waking = 200000, worth_sharing = 10000;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits for a moment, and gives the core away where that was not enough.
class patience {
 public:
  void wait() {
    if (++turns_ < 4000)
      pause_briefly();
    else
      sched_yield();
  }

 private:
  int turns_ = 0;
};

// The first exception of several threads.
class first_problem {
 public:
  void keep() {
    if (!taken_.test_and_set()) problem_ = std::current_exception();
  }
  void rethrow() const {
    if (problem_) std::rethrow_exception(problem_);
  }

 private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
  std::exception_ptr problem_;
};

/// Threads that take parts of one job after the other. `open_` holds the number of the job and how many of
/// its parts nobody has taken: whoever takes one by comparing and exchanging knows that the job cannot end
/// before this part is done, so that it may read what the job is.
class team {
 public:
  /// On the thread that leads. All parts are done when it returns.
  void run(std::size_t parts, const part_function &work) {
    first_problem problem;
    work_ = &work;
    parts_ = parts;
    problem_ = &problem;
    done_.store(0, std::memory_order_relaxed);
    open_.store((++job_ << bits) | parts, std::memory_order_release);
    while (take()) {
    }
    patience waiting;
    while (done_.load(std::memory_order_acquire) < parts) waiting.wait();
    problem.rethrow();
  }
  void end() { ended_.store(true, std::memory_order_release); }
  /// On the others, until the end.
  void stand_by() {
    patience waiting;
    while (!ended_.load(std::memory_order_acquire)) {
      if (take())
        waiting = {};
      else
        waiting.wait();
    }
  }

 private:
  static constexpr int bits = 32;

  bool take() {
    std::uint64_t seen = open_.load(std::memory_order_acquire);
    std::uint64_t left = 0;
    do {
      left = seen & ((std::uint64_t{1} << bits) - 1);
      if (left == 0) return false;
    } while (!open_.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel));
    try {
      (*work_)(parts_ - static_cast<std::size_t>(left));
    } catch (...) {
      problem_->keep();
    }
    done_.fetch_add(1, std::memory_order_acq_rel);
    return true;
  }

  const part_function *work_ = nullptr;
  first_problem *problem_ = nullptr;
  std::size_t parts_ = 0;
  std::uint64_t job_ = 0;
  std::atomic<std::uint64_t> open_{0};
  std::atomic<std::size_t> done_{0};
  std::atomic<bool> ended_{false};
};

// The team that this thread leads, while it does not work on a part itself.
thread_local team *led = nullptr;

std::size_t most_threads() {
#ifdef _OPENMP
  return omp_in_parallel() ? 1 : static_cast<std::size_t>(omp_get_max_threads());
#else
  return 1;
#endif
}

std::size_t threads_for(std::size_t parts, double cost) {
  return cost < worth_waking ? 1 : std::min(parts, most_threads());
}

void share_awake(std::size_t parts, const part_function &work) {
  team *const own = led;
  led = nullptr;  // what a part shares stays on its thread
  try {
    own->run(parts, work);
  } catch (...) {
    led = own;
    throw;
  }
  led = own;
}

void share_waking(std::size_t threads, std::size_t parts, const part_function &work) {
  std::atomic<std::size_t> next{0};
  first_problem problem;
  const auto take = [&] {
    try {
      for (std::size_t i = next++; i < parts; i = next++) work(i);
    } catch (...) {  // an exception must not leave a parallel region
      problem.keep();
    }
  };
#ifdef _OPENMP
#pragma omp parallel num_threads(static_cast <int>(threads))
#else
  static_cast<void>(threads);
#endif
  take();
  problem.rethrow();
}

}  // namespace

void share(std::size_t parts, double cost, const std::function<void(std::size_t)> &work) {
  if (led && parts > 1 && cost >= worth_sharing) return share_awake(parts, work);
  const std::size_t threads = led ? 1 : threads_for(parts, cost);
  if (threads > 1) return share_waking(threads, parts, work);
  for (std::size_t i = 0; i < parts; ++i) work(i);
}

void share_range(std::size_t parts, double cost, const std::function<void(std::size_t, std::size_t)> &work) {
  // many runs in a team: a thread may be held up by other work on its core
  const std::size_t runs =
      led ? std::min(parts, static_cast<std::size_t>(std::clamp(cost / 30000, 2.0, 64.0)))
          : threads_for(parts, cost);
  if (runs <= 1) return work(0, parts);
  share(runs, cost, [&](std::size_t i) { work(parts * i / runs, parts * (i + 1) / runs); });
}

void as_team(const std::function<void()> &work) {
  const std::size_t threads = led ? 1 : most_threads();
  if (threads <= 1) return work();
  team members;
  std::exception_ptr problem;
#ifdef _OPENMP
#pragma omp parallel num_threads(static_cast <int>(threads))
  if (omp_get_thread_num() == 0) {
    led = &members;
    try {
      work();
    } catch (...) {
      problem = std::current_exception();
    }
    led = nullptr;
    members.end();
  } else {
    members.stand_by();
  }
#endif
  if (problem) std::rethrow_exception(problem);
}

}  // namespace slipstream::arithmetic

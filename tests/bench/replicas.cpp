#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "runtime/learning/trainer.hpp"

// What the ranks of a learner cost and gain: adding up a gradient against a bare copy of as many bytes, and
// an update of one rank with all threads, of several ranks with the sums in one piece, in buckets, and with
// sharded moments. Ratios are of one run; the machine's other work is in all of them alike.
namespace {

using namespace slipstream;
using seconds = std::chrono::duration<double>;

template <class Act>
double fastest(int repeats, const Act &act) {
  double best = 1e300;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    act();
    best = std::min(best, seconds(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

double allreduce_seconds(std::int64_t ranks, std::int64_t elements, std::int64_t bucket) {
  const auto where = meet_here();
  double took = 0;
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([=, &took] {
      const auto group = join_group(where, {rank, ranks});
      const auto values = at::ones({elements});
      const auto best = fastest(3, [&] {
        for (std::int64_t first = 0; first < elements; first += bucket)
          group->start_sum(values.narrow(0, first, std::min(bucket, elements - first)));
        group->wait();
      });
      if (rank == 0) took = best;
    });
  for (auto &thread : threads) thread.join();
  return took;
}

void print_sums() {
  fmt::print(
      "adding up a float32 gradient over ranks that are threads of this process (Gloo over loopback)\n");
  fmt::print("{:>6} {:>6} {:>12} {:>12} {:>12} {:>10}\n", "MB", "ranks", "memcpy ms", "in one ms",
             "4 MB parts", "of memcpy");
  for (const std::int64_t megabytes : {3, 60}) {
    const std::int64_t elements = megabytes << 18;
    const auto from = at::ones({elements}), to = at::zeros({elements});
    const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
    const double copy = fastest(3, [&] { std::memcpy(to.data_ptr(), from.data_ptr(), bytes); });
    for (const std::int64_t ranks : {2, 4}) {
      const double whole = allreduce_seconds(ranks, elements, elements);
      const double parts = allreduce_seconds(ranks, elements, 1 << 20);
      fmt::print("{:>6} {:>6} {:>12.2f} {:>12.2f} {:>12.2f} {:>10.3f}\n", megabytes, ranks, copy * 1e3,
                 whole * 1e3, parts * 1e3, copy / parts);
    }
  }
}

std::vector<sample_group_ptr> made_up_batch(std::int64_t vocabulary) {
  std::vector<sample_group_ptr> batch;
  for (std::uint64_t id = 0; id < 64; ++id) {
    auto group = std::make_shared<sample_group>();
    group->id = id;
    group->rollouts = 1;
    sample each;
    const auto length = 24 + (id * 29) % 41;
    for (std::uint64_t t = 0; t < length; ++t)
      each.tokens.push_back(
          static_cast<std::int64_t>((id * 7 + t * 13) % static_cast<std::uint64_t>(vocabulary)));
    each.prompt_length = 8;
    group->samples.push_back(each);
    batch.push_back(group);
  }
  return batch;
}

void print_updates(const char *name, std::int64_t hidden, std::int64_t layers, std::int64_t vocabulary) {
  model_spec spec;
  spec.vocab_size = vocabulary, spec.hidden_size = hidden, spec.intermediate_size = hidden * 8 / 3;
  spec.layers = layers, spec.heads = spec.kv_heads = hidden / 64, spec.head_dim = 64;
  spec.max_positions = 128, spec.tied_embeddings = true;
  const transformer initial(spec, initial_parameters(spec, 1), numerics::fast);
  const auto batch = made_up_batch(vocabulary);
  const auto update = [&](std::int64_t ranks, std::int64_t threads, std::int64_t bucket, std::int64_t zero) {
    at::set_num_threads(static_cast<int>(threads));
    trainer_options options;
    options.objective = &find_objective("sft");
    options.loss = options.objective->defaults;
    options.rate = {schedule_shape::constant, 1e-4};
    options.micro_batch = 16 / ranks;
    options.replicas = ranks, options.threads = threads, options.bucket = bucket, options.zero = zero;
    trainer core(options, initial);
    return fastest(3, [&] {
      core.begin(batch, 0);
      while (core.slice()) {
      }
      core.complete(0);
    });
  };
  const auto all = initial.trainable().numel();
  std::fflush(stdout);
  const double one = update(1, 1, 1 << 20, 0), both = update(1, 2, 1 << 20, 0);
  const double whole = update(2, 1, all, 0), parts = update(2, 1, 1 << 20, 0);
  const double moments = update(2, 1, 1 << 20, 1), sharded = update(2, 1, 1 << 20, 3);
  fmt::print("{:>6} {:>10} {:>10.1f} {:>8.2f} {:>10.2f} {:>10.2f} {:>8.2f} {:>8.2f}\n", name, all, one * 1e3,
             one / both, one / whole, one / parts, one / moments, one / sharded);
}

}  // namespace

int main() {
  print_sums();
  fmt::print("\nan update of 64 demonstrations (sft): ms with one thread, and how many times as fast\n");
  fmt::print("{:>6} {:>10} {:>10} {:>8} {:>10} {:>10} {:>8} {:>8}\n", "model", "parameters", "1 rank ms",
             "2 thr.", "2 in one", "2 buckets", "2 zero 1", "2 zero 3");
  print_updates("0.8 M", 128, 4, 16);
  print_updates("15 M", 384, 8, 512);
}

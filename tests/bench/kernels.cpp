#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "models/network/batch.hpp"
#include "models/network/kernels.hpp"

// Prints how the exact products compare with BLAS, and what a training step costs in both numerics.
// One thread; the best of several repeats.
namespace {

using namespace slipstream;

double best_seconds(int repeats, const std::function<void()> &work) {
  double best = 1e9;
  work();
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void compare_products() {
  std::printf("%6s %5s %5s %14s %14s %7s\n", "rows", "in", "out", "exact GFLOP/s", "BLAS GFLOP/s", "ratio");
  for (const std::int64_t rows : {1, 16, 64, 256, 2816}) {
    for (const auto &[in, out] :
         {std::pair<std::int64_t, std::int64_t>{128, 128}, {128, 768}, {384, 128}, {512, 512}}) {
      const at::Tensor x = at::randn({rows, in}), w = at::randn({out, in}), y = at::empty({rows, out});
      const double flops = 2.0 * static_cast<double>(rows * in * out);
      const double exact = best_seconds(20, [&, in = in, out = out] {
        kernels::linear(x.data_ptr<float>(), rows, in, w.data_ptr<float>(), out, nullptr,
                        y.data_ptr<float>());
      });
      const double blas = best_seconds(20, [&] { at::linear(x, w); });
      std::printf("%6ld %5ld %5ld %14.1f %14.1f %7.2f\n", static_cast<long>(rows), static_cast<long>(in),
                  static_cast<long>(out), flops / exact / 1e9, flops / blas / 1e9, blas / exact);
    }
  }
}

void time_training(numerics mode, std::int64_t batch, std::int64_t width) {
  model_spec spec;
  spec.vocab_size = 45, spec.hidden_size = 128, spec.intermediate_size = 384, spec.layers = 4;
  spec.heads = spec.kv_heads = 2, spec.head_dim = 64, spec.max_positions = 64, spec.tied_embeddings = true;
  transformer model(spec, initial_parameters(spec, 1), mode);
  const at::Tensor gradient = at::zeros({parameter_count(spec)});
  model.train_into(gradient);
  const token_batch tokens{at::randint(45, {batch, width}, at::kLong), at::full({batch}, width, at::kLong)};
  const double forward = best_seconds(5, [&] {
    const at::NoGradGuard guard;
    batch_logprobs(model, tokens, 1.0, false);
  });
  const double step =
      best_seconds(5, [&] { batch_logprobs(model, tokens, 1.0, false).logprobs.sum().backward(); });
  std::printf("%s [%ld,%ld]: forward %.0f ms, forward and backward %.0f ms\n",
              mode == numerics::exact ? "exact" : "fast ", static_cast<long>(batch), static_cast<long>(width),
              forward * 1e3, step * 1e3);
}

}  // namespace

int main() {
  at::set_num_threads(1);
  compare_products();
  for (const std::int64_t batch : {128, 256})
    for (const numerics mode : {numerics::fast, numerics::exact}) time_training(mode, batch, 22);
}

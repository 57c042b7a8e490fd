// Tokens per second of the generation engine on the quickstart's model (d 128, 4 layers, 2 heads), beside a
// full recomputation of every sequence for every token. One thread.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "models/engine/engine.hpp"
#include "models/engine/random.hpp"
#include "models/engine/sampling.hpp"
#include "models/network/batch.hpp"

using namespace slipstream;

namespace {

const std::vector<std::int64_t> end{2};

constexpr std::int64_t slots = 64, prompt_length = 13, answer_length = 9, group = 8;

model_spec quickstart_spec() {
  model_spec spec;
  spec.vocab_size = 45;
  spec.hidden_size = 128;
  spec.intermediate_size = 384;
  spec.layers = 4;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 64;
  spec.max_positions = 64;
  spec.tied_embeddings = true;
  spec.eos_tokens = {2};
  return spec;
}

double seconds(const std::function<void()> &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

generation_request request_of(std::uint64_t id) {
  generation_request request;
  request.id = id;
  for (std::int64_t t = 0; t < prompt_length; ++t)
    request.prompt.push_back(static_cast<std::int64_t>(id + static_cast<std::uint64_t>(3 * t)) % 40 + 3);
  request.samples = group;
  request.max_new_tokens = answer_length - static_cast<std::int64_t>(id % 2);
  request.min_new_tokens = request.max_new_tokens;
  return request;
}

struct measured {
  double per_second, step;
};

measured with_engine(const std::shared_ptr<const transformer> &model, std::int64_t requests) {
  engine all({slots, 16, 0, weight_change::keep_cache});
  all.set_weights(model, 0);
  std::uint64_t id = 0, steps = 0;
  const double took = seconds([&] {
    for (; id < static_cast<std::uint64_t>(requests) || all.running() > 0; ++steps) {
      while (id < static_cast<std::uint64_t>(requests) && all.free_slots() > 0) all.submit(request_of(id++));
      all.step();
    }
  });
  return {static_cast<double>(all.decoded_tokens()) / took, took / static_cast<double>(steps)};
}

measured with_recomputation(const transformer &model) {
  const at::NoGradGuard no_gradients;
  std::vector<std::vector<std::int64_t>> sequences;
  for (std::int64_t i = 0; i < slots; ++i)
    sequences.push_back(request_of(static_cast<std::uint64_t>(i / group)).prompt);
  const double took = seconds([&] {
    for (std::int64_t step = 0; step < answer_length; ++step) {
      const at::Tensor hidden =
          batch_hidden(model, pad_tokens(sequences, 0)).select(1, prompt_length + step - 1);
      const at::Tensor logits = model.logits(hidden).contiguous();
      for (std::int64_t i = 0; i < slots; ++i) {
        const float *row = logits.data_ptr<float>() + i * logits.size(1);
        const double u = uniform(0, 0, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(step));
        const auto width = static_cast<std::size_t>(logits.size(1));
        sequences[static_cast<std::size_t>(i)].push_back(draw_token({row, width}, {}, end, u).token);
      }
    }
  });
  return {static_cast<double>(slots * answer_length) / took, took / static_cast<double>(answer_length)};
}

void report(const char *what, const measured &m) {
  std::printf("%-28s %9.0f tokens/s %8.2f ms a step\n", what, m.per_second, m.step * 1e3);
}

}  // namespace

int main(int count, char **arguments) {
  at::set_num_threads(1);
  const std::int64_t requests = count > 1 ? std::atoll(arguments[1]) : 200;
  const model_spec spec = quickstart_spec();
  for (const auto mode : {numerics::exact, numerics::fast}) {
    const bool exact = mode == numerics::exact;
    const auto model = std::make_shared<transformer>(spec, initial_parameters(spec, 1), mode);
    with_engine(model, 16);
    report(exact ? "engine, exact" : "engine, fast", with_engine(model, requests));
    report(exact ? "recomputation, exact" : "recomputation, fast", with_recomputation(*model));
  }
  return EXIT_SUCCESS;
}

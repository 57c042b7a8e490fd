#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "actors/commands/arguments.hpp"
#include "actors/computing/floors.hpp"
#include "models/arithmetic/targets.hpp"
#include "models/engine/engine.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/batch.hpp"
#include "models/objectives/optimizer.hpp"
#include "runtime/plumbing/blas.hpp"

namespace slipstream {
namespace {

using clock = std::chrono::steady_clock;

double since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

std::vector<std::int64_t> random_prompt(const model_spec &spec, std::int64_t length, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<std::int64_t> any(0, spec.vocab_size - 1);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(length));
  for (auto &id : ids) id = any(generator);
  return ids;
}

// Highest resident memory of the process since the last call, bytes.
double peak_memory(bool from_now) {
  if (from_now) {
    std::ofstream("/proc/self/clear_refs") << "5";
    return 0;
  }
  std::ifstream in("/proc/self/status");
  std::string line;
  while (std::getline(in, line))
    if (line.starts_with("VmHWM:")) return 1024.0 * std::stod(line.substr(6));
  return 0;
}

arithmetic::weight_format format_of(const std::string &name) {
  if (name == "bf16") return arithmetic::weight_format::bfloat16;
  if (name == "int8") return arithmetic::weight_format::int8;
  return arithmetic::weight_format::float32;
}

struct timing {
  double tokens = 0, seconds = 0;
};

// All prompts of a batch through an engine: the time of the steps that read prompts, and of those behind
// them.
struct engine_timing {
  timing prefill, decode;
};
engine_timing time_engine(const bench_arguments &arguments, const std::shared_ptr<const transformer> &model,
                          std::int64_t batch, std::int64_t fresh) {
  engine decoder(engine_options{
      .slots = batch, .prefill_tokens = arguments.prompt * batch, .weights = format_of(arguments.weights)});
  decoder.set_weights(model, 0);
  for (std::int64_t first = 0; first < batch; first += arguments.group) {
    generation_request request;
    request.id = static_cast<std::uint64_t>(first);
    request.prompt = random_prompt(model->spec(), arguments.prompt, static_cast<unsigned>(first));
    request.samples = std::min(arguments.group, batch - first);
    request.max_new_tokens = request.min_new_tokens = fresh;
    request.sampling = {arguments.temperature, 0, arguments.top_p, 0.0};
    decoder.submit(std::move(request));
  }
  engine_timing result;
  const auto start = clock::now();
  decoder.step();
  result.prefill = {static_cast<double>(decoder.prefilled_tokens()), since(start)};
  const auto decoded = decoder.decoded_tokens();
  const auto then = clock::now();
  while (decoder.running() + decoder.queued() > 0) decoder.step();
  result.decode = {static_cast<double>(decoder.decoded_tokens() - decoded), since(then)};
  return result;
}

// One update by AdamW on the log-probabilities of `batch` full sequences.
std::function<void()> training_step(transformer &model, const at::Tensor &gradient, adamw_state &moments,
                                    const bench_arguments &arguments, std::int64_t batch) {
  const std::int64_t length = arguments.prompt + arguments.fresh;
  const token_batch tokens{at::randint(model.spec().vocab_size, {batch, length}, at::kLong),
                           at::full({batch}, length, at::kLong)};
  return [&model, gradient, &moments, tokens] {
    gradient.zero_();
    batch_logprobs(model, tokens, 1.0).logprobs.mean().neg().backward();
    const at::NoGradGuard no_gradients;
    adamw_step(model.flat(), gradient, moments, {}, 1e-6);
  };
}

timing time_training(const bench_arguments &arguments, transformer &model, const at::Tensor &gradient,
                     adamw_state &moments, std::int64_t batch) {
  const auto step = training_step(model, gradient, moments, arguments, batch);
  const auto start = clock::now();
  step();
  return {static_cast<double>(batch * (arguments.prompt + arguments.fresh)), since(start)};
}

// The best of `repeats` tries behind one that warms up.
timing best_of(std::int64_t repeats, const std::function<timing()> &attempt) {
  timing best = attempt();
  for (std::int64_t i = 0; i < repeats; ++i)
    if (const timing next = attempt(); next.tokens / next.seconds > best.tokens / best.seconds) best = next;
  return best;
}

nlohmann::json measure(const bench_arguments &arguments, const checkpoint &read) {
  const auto model = std::make_shared<transformer>(read.network(numerics::exact));
  at::Tensor gradient;
  adamw_state moments;
  if (arguments.what == "train") {
    gradient = at::zeros_like(model->flat());
    model->train_into(gradient);
    moments = fresh_adamw(model->flat());
  }
  nlohmann::json results = nlohmann::json::array();
  for (const std::int64_t batch : arguments.batches) {
    peak_memory(true);
    const timing found = best_of(arguments.repeats, [&]() -> timing {
      if (arguments.what == "train") return time_training(arguments, *model, gradient, moments, batch);
      if (arguments.what == "prefill") return time_engine(arguments, model, batch, 1).prefill;
      return time_engine(arguments, model, batch, arguments.fresh).decode;
    });
    results.push_back({{"batch", batch},
                       {"tokens_per_s", found.tokens / found.seconds},
                       {"peak_bytes", peak_memory(false)}});
  }
  return results;
}

void check(const bench_arguments &arguments, const model_spec &spec) {
  const std::int64_t length = arguments.prompt + arguments.fresh;
  if (length > spec.max_positions)
    throw input_error(
        fmt::format("--prompt and --new make {} tokens, and the model's context holds {}; lower them", length,
                    spec.max_positions));
  if (arguments.what == "train" && arguments.weights != "f32")
    throw input_error("--weights " + arguments.weights +
                      " rounds weights for sampling; training computes in f32");
  if (arguments.what == "decode" && arguments.fresh < 2)
    throw input_error("--new 1 leaves nothing to decode behind the prompt; give 2 or more");
}

}  // namespace

int execute(const bench_arguments &arguments) {
  warn_of_blas();
  const checkpoint read = load_checkpoint(arguments.model);
  check(arguments, read.spec);
  at::set_num_threads(static_cast<int>(arguments.threads));
  nlohmann::json results = measure(arguments, read);
  const double bandwidth = read_bandwidth(arguments.threads);
  const double peak = peak_operations(arguments.threads);
  for (auto &each : results) {
    each["threads"] = arguments.threads;
    each["read_bytes_per_s"] = bandwidth;
    each["peak_operations_per_s"] = peak;
    each["instructions"] = arithmetic::instruction_set();
  }
  if (arguments.json) {
    fmt::print("{}\n", results.dump());
    return 0;
  }
  fmt::print("{} {}, {} threads ({}): reads {:.1f} GB/s, computes {:.1f} GFLOP/s at best\n", arguments.what,
             arguments.model.string(), arguments.threads, arithmetic::instruction_set(), bandwidth / 1e9,
             peak / 1e9);
  fmt::print("{:>8} {:>12} {:>10}\n", "batch", "tokens/s", "peak GB");
  for (const auto &each : results)
    fmt::print("{:>8} {:>12.1f} {:>10.2f}\n", each["batch"].get<std::int64_t>(),
               each["tokens_per_s"].get<double>(), each["peak_bytes"].get<double>() / 1e9);
  return 0;
}

}  // namespace slipstream

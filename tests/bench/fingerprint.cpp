#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>

#include "runtime/learning/fingerprint.hpp"

// What noting a version's fingerprint costs the learner, beside the update that made the version.
int main() {
  using namespace slipstream;
  struct size {
    const char *name;
    std::int64_t hidden, layers, vocabulary;
  };
  for (const auto &[name, hidden, layers, vocabulary] :
       {size{"0.8 M", 128, 4, 16}, size{"15 M", 384, 8, 512}, size{"124 M", 768, 12, 50257}}) {
    model_spec spec;
    spec.vocab_size = vocabulary, spec.hidden_size = hidden, spec.intermediate_size = hidden * 8 / 3;
    spec.layers = layers, spec.heads = spec.kv_heads = hidden / 64, spec.head_dim = 64;
    spec.max_positions = 128, spec.tied_embeddings = true;
    const transformer model(spec, initial_parameters(spec, 1), numerics::fast);
    fingerprint(model);
    constexpr int rounds = 10;
    const auto begin = std::chrono::steady_clock::now();
    std::size_t tensors = 0;
    for (int i = 0; i < rounds; ++i) tensors = fingerprint(model).size();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    fmt::print("{:>6}: {} parameters, {} tensors, {:.2f} ms\n", name, model.trainable().numel(), tensors,
               took.count() / rounds * 1e3);
  }
}

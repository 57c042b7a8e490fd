#include "models/arithmetic/targets.hpp"
// before Highway's own headers

#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <tuple>
#include <vector>

#include "models/arithmetic/attention.hpp"
#include "models/arithmetic/product.hpp"
#include "models/arithmetic/rows.hpp"
#include "models/arithmetic/scalar.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::arithmetic;

namespace {

using row = std::vector<float>;

row random_row(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  row result(count);
  for (float &x : result) x = normal(generator);
  return result;
}

bool same_bits(const row &a, const row &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// What `compute` gives with each instruction set of this processor.
std::vector<row> with_each_instruction_set(const std::function<row()> &compute) {
  std::vector<row> results;
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    results.push_back(compute());
  }
  hwy::SetSupportedTargetsForTest(0);
  return results;
}

bool all_alike(const std::function<row()> &compute) {
  const auto results = with_each_instruction_set(compute);
  REQUIRE(results.size() > 1);
  return std::all_of(results.begin(), results.end(),
                     [&](const row &each) { return same_bits(each, results.front()); });
}

row chains(const row &a, const row &b, std::size_t rows, std::size_t depth, std::size_t columns) {
  row result(rows * columns);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      float sum = 0.0f;
      for (std::size_t k = 0; k < depth; ++k) sum = std::fma(a[r * depth + k], b[c * depth + k], sum);
      result[r * columns + c] = sum;
    }
  return result;
}

double worst(const row &actual, const std::vector<double> &expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error = std::max(error, std::abs(actual[i] - expected[i]));
    size = std::max(size, std::abs(expected[i]));
  }
  return error / size;
}

}  // namespace

TEST_CASE("each element of a product is one chain of fused multiply-adds, in every format of the weights") {
  const auto [rows, depth, columns] =
      GENERATE(std::tuple<std::size_t, std::size_t, std::size_t>{1, 5, 3}, std::tuple{7, 400, 50},
               std::tuple{13, 64, 100}, std::tuple{400, 500, 65});
  const auto format = GENERATE(weight_format::float32, weight_format::bfloat16, weight_format::int8);
  const row a = random_row(rows * depth, 1), given = random_row(columns * depth, 2);
  const packed_matrix b({given.data(), depth, 1}, depth, columns, format);
  const row weights = b.unpacked(), expected = chains(a, weights, rows, depth, columns);
  const operand left{a.data(), depth, 1};
  for (const auto &found : with_each_instruction_set([&] {
         row c(rows * columns, 7.0f);
         multiply(left, rows, b, 0, b.panels(), c.data(), columns);
         return c;
       }))
    CHECK(same_bits(found, expected));
  for (const auto &found : with_each_instruction_set([&] {
         row c(rows * columns, 7.0f);
         multiply(left, rows, operand{weights.data(), depth, 1}, depth, 0, columns, c.data(), columns);
         return c;
       }))
    CHECK(same_bits(found, expected));
}

TEST_CASE("a chain that is cut goes on from memory, and factors may be transposed") {
  const std::size_t rows = 9, depth = 70, columns = 37, cut = 31;
  const row a = random_row(rows * depth, 3), b = random_row(columns * depth, 4),
            expected = chains(a, b, rows, depth, columns);
  row at(depth * rows), bt(depth * columns);
  for (std::size_t k = 0; k < depth; ++k) {
    for (std::size_t r = 0; r < rows; ++r) at[k * rows + r] = a[r * depth + k];
    for (std::size_t c = 0; c < columns; ++c) bt[k * columns + c] = b[c * depth + k];
  }
  row c(rows * columns);
  multiply({at.data(), 1, rows}, rows, operand{bt.data(), 1, columns}, cut, 0, columns, c.data(), columns);
  multiply({at.data() + cut * rows, 1, rows}, rows, operand{bt.data() + cut * columns, 1, columns},
           depth - cut, 0, columns, c.data(), columns, true);
  CHECK(same_bits(c, expected));
}

TEST_CASE("weights of fewer bits are near the given ones") {
  const std::size_t depth = 96, columns = 20;
  const row given = random_row(columns * depth, 5);
  const auto error = [&](weight_format format) {
    const row kept = packed_matrix({given.data(), depth, 1}, depth, columns, format).unpacked();
    return worst(kept, {given.begin(), given.end()});
  };
  CHECK(error(weight_format::float32) == 0);
  CHECK(error(weight_format::bfloat16) < 1.0 / 256);
  CHECK(error(weight_format::int8) < 0.5 / 127 + 1e-6);
  CHECK(packed_matrix({given.data(), depth, 1}, depth, columns, weight_format::int8).bytes() ==
        2 * 16 * (depth + sizeof(float)));
}

TEST_CASE("row functions agree with their formulas, and have the same bits with every instruction set") {
  const std::size_t rows = 3, width = GENERATE(std::size_t{5}, std::size_t{16}, std::size_t{77});
  const row x = random_row(rows * width, 6), gain = random_row(width, 7), bias = random_row(width, 8);
  const auto n = static_cast<std::int64_t>(width), m = static_cast<std::int64_t>(rows);
  std::vector<double> rms(rows * width), layer(rows * width), gelu(rows * width), soft(rows * width);
  for (std::size_t r = 0; r < rows; ++r) {
    double squares = 0, sum = 0, variance = 0, exponentials = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const double v = x[r * width + i];
      squares += v * v;
      sum += v;
      exponentials += std::exp(v * 0.5);
    }
    const double mean = sum / static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) variance += std::pow(x[r * width + i] - mean, 2);
    for (std::size_t i = 0; i < width; ++i) {
      const double v = x[r * width + i], u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
      rms[r * width + i] = v / std::sqrt(squares / static_cast<double>(width) + 1e-5) * gain[i];
      layer[r * width + i] =
          (v - mean) / std::sqrt(variance / static_cast<double>(width) + 1e-5) * gain[i] + bias[i];
      gelu[r * width + i] = 0.5 * v * (1 + std::tanh(u));
      soft[r * width + i] = v * 0.5 - std::log(exponentials);
    }
  }
  const auto check = [&](const std::vector<double> &expected, const std::function<void(float *)> &compute) {
    const auto run = [&] {
      row y(rows * width);
      compute(y.data());
      return y;
    };
    CHECK(worst(run(), expected) < 2e-6);
    CHECK(all_alike(run));
  };
  check(rms, [&](float *y) { rms_norm(x.data(), m, n, gain.data(), 1e-5f, y); });
  check(layer, [&](float *y) { layer_norm(x.data(), m, n, gain.data(), bias.data(), 1e-5f, y); });
  check(gelu, [&](float *y) { gelu_tanh(x.data(), m * n, y); });
  check(soft, [&](float *y) {
    for (std::size_t r = 0; r < rows; ++r) log_softmax(x.data() + r * width, n, 0.5f, y + r * width);
  });
}

TEST_CASE("gradients of row functions are their slopes") {
  const std::int64_t rows = 2, width = 21;
  const auto count = static_cast<std::size_t>(rows * width);
  const row x = random_row(2 * count, 9), gain = random_row(width, 10), bias = random_row(width, 11),
            gy = random_row(count, 12);
  using compute = std::function<void(const float *, float *)>;
  // the slope of sum gy y along each x, by central differences
  const auto slopes = [&](const compute &forward, std::size_t inputs) {
    std::vector<double> result(inputs);
    for (std::size_t i = 0; i < inputs; ++i) {
      double side[2] = {};
      for (const int s : {0, 1}) {
        row moved(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(inputs)), y(count);
        moved[i] += s == 0 ? -1e-2f : 1e-2f;
        forward(moved.data(), y.data());
        for (std::size_t j = 0; j < count; ++j) side[s] += static_cast<double>(gy[j]) * y[j];
      }
      result[i] = (side[1] - side[0]) / 2e-2;
    }
    return result;
  };
  row gx(count), gw(static_cast<std::size_t>(width)), wide(2 * count);
  rms_norm_gradient(x.data(), rows, width, gain.data(), 1e-5f, gy.data(), gx.data(), gw.data());
  CHECK(worst(gx, slopes([&](const float *in, float *y) { rms_norm(in, rows, width, gain.data(), 1e-5f, y); },
                         count)) < 2e-3);
  layer_norm_gradient(x.data(), rows, width, gain.data(), 1e-5f, gy.data(), gx.data(), gw.data());
  CHECK(worst(gx, slopes([&](const float *in,
                             float *y) { layer_norm(in, rows, width, gain.data(), bias.data(), 1e-5f, y); },
                         count)) < 2e-3);
  gelu_tanh_gradient(x.data(), rows * width, gy.data(), gx.data());
  CHECK(worst(gx, slopes([&](const float *in, float *y) { gelu_tanh(in, rows * width, y); }, count)) < 2e-3);
  silu_gate_gradient(x.data(), rows, width, gy.data(), wide.data());
  CHECK(worst(wide, slopes([&](const float *in, float *y) { silu_gate(in, rows, width, y); }, 2 * count)) <
        2e-3);
  CHECK(all_alike([&] {
    row all(4 * count + 2 * static_cast<std::size_t>(width));
    rms_norm_gradient(x.data(), rows, width, gain.data(), 1e-5f, gy.data(), all.data(),
                      all.data() + 4 * count);
    layer_norm_gradient(x.data(), rows, width, gain.data(), 1e-5f, gy.data(), all.data() + count,
                        all.data() + 4 * count + width);
    silu_gate_gradient(x.data(), rows, width, gy.data(), all.data() + 2 * count);
    return all;
  }));
}

TEST_CASE("exponentials of floats are within a unit in the last place") {
  row x, y;
  for (int i = -86000; i < 88000; ++i) x.push_back(static_cast<float>(i) * 1e-3f);
  y = x;
  exponentials(y.data(), static_cast<std::int64_t>(y.size()), 0.0f);
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = std::exp(static_cast<double>(x[i]));
    const auto unit = static_cast<double>(std::nextafter(static_cast<float>(expected), INFINITY) -
                                          static_cast<float>(expected));
    error = std::max(error, std::abs(y[i] - expected) / unit);
  }
  CHECK(error < 1.0);
  CHECK(all_alike([&] {
    row again = x;
    again.push_back(exponentials(again.data(), static_cast<std::int64_t>(again.size()), 0.5f));
    return again;
  }));
}

TEST_CASE("elementary functions of doubles agree with the C library's") {
  std::mt19937_64 generator(13);
  std::uniform_real_distribution<double> decades(-300, 300), angles(-6e6, 6e6), exponents(-700, 700);
  double log_error = 0, exp_error = 0, turn_error = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = std::pow(10.0, decades(generator)), angle = angles(generator) * (i % 2 ? 1 : 1e-6),
                 e = exponents(generator);
    log_error = std::max(log_error, std::abs(logarithm(x) / std::log(x) - 1));
    exp_error = std::max(exp_error, std::abs(arithmetic::exponential(e) / std::exp(e) - 1));
    const auto [sine, cosine] = turn(angle);
    turn_error = std::max({turn_error, std::abs(sine - std::sin(angle)), std::abs(cosine - std::cos(angle))});
  }
  CHECK(log_error < 5e-16);
  CHECK(exp_error < 5e-16);
  CHECK(turn_error < 3e-16);
  CHECK(logarithm(1.0) == 0.0);
  CHECK(std::isnan(logarithm(-1.0)));
  CHECK(std::isinf(logarithm(0.0)));
  CHECK(arithmetic::exponential(-800.0) == 0.0);
  CHECK(power(2.0, 10.0) == Approx(1024.0).epsilon(1e-14));
}

TEST_CASE(
    "attention agrees with its formula; a row has the same bits alone, beside others and with every "
    "instruction set") {
  const std::size_t dim = GENERATE(std::size_t{8}, std::size_t{40}, std::size_t{64}, std::size_t{80}),
                    tokens = 53;
  const std::size_t window = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{20});
  const row q = random_row(tokens * dim, 14), k = random_row(tokens * dim, 15),
            v = random_row(tokens * dim, 16);
  const std::size_t block = GENERATE(std::size_t{16}, std::size_t{5}), blocks = (tokens + block - 1) / block;
  std::vector<row> keys(blocks, row(key_block_size(dim), NAN)),
      values(blocks, row(value_block_size(dim), NAN));
  std::vector<const float *> key_places, value_places;
  for (std::size_t t = 0; t < tokens; ++t) {
    write_key(k.data() + t * dim, dim, t % block, keys[t / block].data());
    write_value(v.data() + t * dim, dim, t % block, values[t / block].data());
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    key_places.push_back(keys[b].data());
    value_places.push_back(values[b].data());
  }
  const head_blocks cache{key_places.data(), value_places.data(), 0, 0, block};
  const auto first = [&](std::size_t t) { return window > 0 && t + 1 > window ? t + 1 - window : 0; };
  const auto run = [&](std::size_t at_once) {
    row out(tokens * dim);
    std::vector<attending_row> rows;
    for (std::size_t t = 0; t < tokens; ++t)
      rows.push_back({q.data() + t * dim, out.data() + t * dim, first(t), t + 1});
    for (std::size_t t = 0; t < tokens; t += at_once)
      attend(rows.data() + t, std::min(at_once, tokens - t), cache, dim);
    return out;
  };
  std::vector<double> expected(tokens * dim);
  for (std::size_t t = 0; t < tokens; ++t) {
    double total = 0;
    std::vector<double> weights;
    for (std::size_t s = first(t); s <= t; ++s) {
      double score = 0;
      for (std::size_t d = 0; d < dim; ++d) score += static_cast<double>(q[t * dim + d]) * k[s * dim + d];
      weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
      total += weights.back();
    }
    for (std::size_t s = first(t); s <= t; ++s)
      for (std::size_t d = 0; d < dim; ++d)
        expected[t * dim + d] += weights[s - first(t)] / total * v[s * dim + d];
  }
  const row alone = run(1);
  CHECK(worst(alone, expected) < 2e-6);
  CHECK(same_bits(run(3), alone));
  CHECK(same_bits(run(tokens), alone));
  CHECK(all_alike([&] { return run(tokens); }));
}

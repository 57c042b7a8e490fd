#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "models/network/kernels.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

std::vector<float> random_row(std::int64_t count, std::uint64_t seed) {
  at::manual_seed(seed);
  const at::Tensor x = at::randn({count});
  return {x.data_ptr<float>(), x.data_ptr<float>() + count};
}

double relative_error(const at::Tensor &actual, const at::Tensor &expected) {
  return ((actual.to(at::kDouble) - expected).abs().max() / expected.abs().max()).item<double>();
}

at::Tensor view(std::vector<float> &x, at::IntArrayRef shape) {
  return at::from_blob(x.data(), shape);
}

}  // namespace

TEST_CASE("each element of a product is the plain sum from first to last, whatever the shape") {
  const std::int64_t rows = GENERATE(1, 2, 3, 7, 13, 25), in = GENERATE(1, 5, 64),
                     out = GENERATE(1, 15, 16, 45);
  const std::vector<float> x = random_row(rows * in, 1), w = random_row(out * in, 2),
                           bias = random_row(out, 3);
  std::vector<float> y(static_cast<std::size_t>(rows * out));
  kernels::linear(x.data(), rows, in, w.data(), out, bias.data(), y.data());
  std::int64_t wrong = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      volatile float sum = 0.0f;  // volatile: no fused or reordered arithmetic in the reference
      for (std::int64_t k = 0; k < in; ++k) {
        volatile float product =
            x[static_cast<std::size_t>(r * in + k)] * w[static_cast<std::size_t>(o * in + k)];
        sum = sum + product;
      }
      wrong += y[static_cast<std::size_t>(r * out + o)] != sum + bias[static_cast<std::size_t>(o)];
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the root-mean-square norm and the gate agree with their formulas") {
  const std::int64_t rows = 5, width = GENERATE(8, 13, 128);
  std::vector<float> x = random_row(rows * 2 * width, 4), weight = random_row(width, 5), y = x;
  kernels::rms_norm(x.data(), 2 * rows, width, weight.data(), 1e-5f, y.data());
  const at::Tensor wide = view(x, {2 * rows, width}).to(at::kDouble);
  const at::Tensor norm = wide * at::rsqrt(wide.square().mean(1, true) + 1e-5) * view(weight, {width});
  CHECK(relative_error(view(y, {2 * rows, width}), norm) < 1e-6);

  kernels::silu_gate(x.data(), rows, width, y.data());
  const auto halves = view(x, {rows, 2 * width}).to(at::kDouble).chunk(2, 1);
  CHECK(relative_error(view(y, {rows, width}), at::silu(halves[0]) * halves[1]) < 1e-6);
}

TEST_CASE("the gate survives extreme inputs and passes on what is no number") {
  std::vector<float> x{-1e30f, -100.0f, 0.0f, 100.0f, 1e30f, NAN, 1, 1, 1, 1, 1, 1}, y(6);
  kernels::silu_gate(x.data(), 1, 6, y.data());
  CHECK(y[0] == Approx(0).margin(1e-6));
  CHECK(y[1] == Approx(0).margin(1e-6));
  CHECK(y[2] == 0.0f);
  CHECK(y[3] == 100.0f);
  CHECK(y[4] == 1e30f);
  CHECK(std::isnan(y[5]));
}

TEST_CASE("log-softmax agrees with its formula and passes on what is no number") {
  const std::int64_t n = GENERATE(1, 7, 8, 45, 1000);
  std::vector<float> x = random_row(n, 6), y(x.size());
  kernels::log_softmax(x.data(), n, 1.0f / 0.7f, y.data());
  const at::Tensor expected = at::log_softmax(view(x, {n}).to(at::kDouble) / 0.7, 0);
  CHECK((view(y, {n}) - expected).abs().max().item<double>() < 3e-6);
  x.back() = NAN;
  kernels::log_softmax(x.data(), n, 1.0f, y.data());
  CHECK(std::isnan(y.front()));
}

TEST_CASE("attention of a row equals the formula, to the bit alike in pages and in one piece") {
  const std::int64_t heads = 4, kv_heads = GENERATE(1, 2, 4), dim = GENERATE(12, 64),
                     length = GENERATE(1, 9, 33);
  const std::int64_t stride = kv_heads * dim;
  std::vector<float> q = random_row(heads * dim, 7), k = random_row(length * stride, 8),
                     v = random_row(length * stride, 9), whole(q.size()), paged(q.size());
  const float *one_k = k.data(), *one_v = v.data();
  kernels::attend_row(q.data(), {&one_k, &one_v, length, stride}, 0, length, heads, kv_heads, dim,
                      whole.data());

  std::vector<const float *> key_pages, value_pages;
  const std::int64_t page_size = 4;
  for (std::int64_t t = 0; t < length; t += page_size) {
    key_pages.push_back(k.data() + t * stride);
    value_pages.push_back(v.data() + t * stride);
  }
  kernels::attend_row(q.data(), {key_pages.data(), value_pages.data(), page_size, stride}, 0, length, heads,
                      kv_heads, dim, paged.data());
  CHECK(whole == paged);

  const at::Tensor keys =
      view(k, {length, kv_heads, dim}).to(at::kDouble).repeat_interleave(heads / kv_heads, 1);
  const at::Tensor values =
      view(v, {length, kv_heads, dim}).to(at::kDouble).repeat_interleave(heads / kv_heads, 1);
  const at::Tensor queries = view(q, {heads, dim}).to(at::kDouble);
  const at::Tensor weights = at::softmax((keys * queries).sum(2) / std::sqrt(double(dim)), 0);
  CHECK(relative_error(view(whole, {heads, dim}), (weights.unsqueeze(2) * values).sum(0)) < 2e-6);
}

#pragma once

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "tests/support/rank_courses.hpp"
#include "tests/support/test.hpp"

namespace slipstream::test::ranks {

inline double largest_difference(const at::Tensor &a, const at::Tensor &b) {
  return (a - b).abs().max().item<double>();
}

inline void check_alike(const course &got, const course &wanted) {
  CHECK(largest_difference(got.weights, wanted.weights) < 5e-6);
  CHECK(got.state["tokens"] == wanted.state["tokens"]);
  REQUIRE(got.metrics.size() == wanted.metrics.size());
  for (std::size_t update = 0; update < wanted.metrics.size(); ++update) {
    REQUIRE(got.metrics[update].size() == wanted.metrics[update].size());
    for (const auto &[name, value] : wanted.metrics[update].items()) {
      CAPTURE(update, name);
      if (value.is_number())
        CHECK(got.metrics[update][name].get<double>() ==
              Approx(value.get<double>()).epsilon(1e-5).margin(1e-6));
      else
        CHECK(got.metrics[update][name] == value);
    }
  }
}

}  // namespace slipstream::test::ranks

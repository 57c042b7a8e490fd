#pragma once

#include "models/arithmetic/weight_format.hpp"
#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// The keys of a sampler.
struct sampler_keys {
  std::string model;
  std::int64_t group = 1;  ///< answers to a prompt
  std::int64_t max_new_tokens = 16, min_new_tokens = 0;
  double temperature = 1.0;
  std::int64_t top_k = 0;           ///< 0: all
  double top_p = 1.0, min_p = 0.0;  ///< as in sampling_options
  std::int64_t slots = 64;          ///< sequences that run at once
  std::int64_t replicas = 1, threads = 1;
  arithmetic::weight_format weights = arithmetic::weight_format::float32;
};

kind_row sampler_row();

}  // namespace slipstream

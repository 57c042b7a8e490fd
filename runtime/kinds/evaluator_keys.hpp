#pragma once

#include <vector>

#include "runtime/kinds/dataset_keys.hpp"
#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// What an evaluator does with held-out lines.
enum class evaluator_task { generation, pairs, answers, lines };

/// The keys of an evaluator.
struct evaluator_keys {
  evaluator_task task = evaluator_task::generation;
  dataset_keys data;
  std::string
      model;  ///< whose answers are rated, or the reward model that rates; empty: only the learner's is used
  std::int64_t samples = 8, max_new_tokens = 16, slots = 64;
  std::int64_t show = 0;
  std::string rule;  ///< that scores answers; empty: none
  too_long long_lines = too_long::error;
  std::int64_t every = 0;  ///< versions
  std::int64_t threads = 1;
};

std::vector<kind_row> evaluator_rows();

}  // namespace slipstream

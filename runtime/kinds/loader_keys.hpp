#pragma once

#include "runtime/kinds/dataset_keys.hpp"
#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// The keys of a loader.
struct loader_keys {
  dataset_keys data;
  bool shuffle = true;
  too_long long_lines = too_long::error;
};

kind_row loader_row();

}  // namespace slipstream

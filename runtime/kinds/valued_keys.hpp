#pragma once

#include "runtime/kinds/joiner_keys.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/vtrace_options.hpp"

namespace slipstream {

/// The keys of an advantage that uses a critic's values, with the options of its formula.
template <class Options>
struct valued_keys {
  Options options;
  bool whiten = true;  ///< over all tokens of the batch
  scorer_weights weights;
};
using gae_keys = valued_keys<gae_options>;
using vtrace_keys = valued_keys<vtrace_options>;

kind_row gae_row();
kind_row vtrace_row();

}  // namespace slipstream

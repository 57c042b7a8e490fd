#include "models/arithmetic/targets.hpp"

#include <hwy/targets.h>

#include <cstdlib>
#include <cstring>

namespace slipstream::arithmetic {
namespace {

// Before any kernel runs. Disabling what the processor lacks anyway does nothing.
const bool limited = [] {
  const char *wanted = std::getenv("SLIPSTREAM_INSTRUCTIONS");
  if (!wanted) return false;
  if (std::strcmp(wanted, "avx2") == 0) hwy::DisableTargets(HWY_AVX3);
  if (std::strcmp(wanted, "base") == 0) hwy::DisableTargets(~(HWY_STATIC_TARGET));
  return true;
}();

}  // namespace

std::string instruction_set() {
  const auto all = hwy::SupportedTargets() & (HWY_TARGETS);
  return hwy::TargetName(all & -all);
}

}  // namespace slipstream::arithmetic

#include "actors/commands/version.hpp"

#include <fmt/format.h>
#include <torch/version.h>
#include <caf/config.hpp>

#include <vector>

#include "runtime/topology/suggest.hpp"

namespace slipstream {

const char *built_version();  // in the file that cmake/write_commit.cmake writes
const char *built_commit();

namespace {

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) names.emplace_back("AVX2");
  if (__builtin_cpu_supports("fma")) names.emplace_back("FMA");
  if (__builtin_cpu_supports("avx512f")) names.emplace_back("AVX-512F");
#elif defined(__aarch64__)
  names.emplace_back("NEON");
#endif
  if (names.empty()) names.emplace_back("none beyond the base");
  return names;
}

}  // namespace

std::string version_text() {
  return fmt::format("slipstream {} (commit {})\nLibTorch {}, CAF {}.{}.{}\ninstruction sets: {}",
                     built_version(), built_commit(), TORCH_VERSION, CAF_VERSION / 10000,
                     CAF_VERSION / 100 % 100, CAF_VERSION % 100, listed(instruction_sets()));
}

}  // namespace slipstream

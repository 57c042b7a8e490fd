#pragma once
// Include last: LibTorch's headers define glog's CHECK family, which would silently replace Catch2's.
#undef CHECK
#undef CHECK_FALSE
#undef REQUIRE
#undef INFO
#undef WARN
#undef FAIL
#if __has_include(<catch2/catch_all.hpp>)  // Catch2 3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <filesystem>
#include <string>

#if CATCH_VERSION_MAJOR >= 3
using Catch::Approx;
#endif

namespace slipstream::test {

// A string matcher under one name in both versions of Catch2.
inline auto Contains(const std::string &part) {
#if CATCH_VERSION_MAJOR >= 3
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

/// A file or folder under tests/data.
inline std::filesystem::path data(const std::filesystem::path &name) {
  return std::filesystem::path(SLIPSTREAM_SOURCE_DIR) / "tests" / "data" / name;
}

/// The folder of reference values: $SLIPSTREAM_GOLDEN, or tests/data/golden.
inline std::filesystem::path golden(const std::filesystem::path &name) {
  const char *chosen = std::getenv("SLIPSTREAM_GOLDEN");
  return (chosen ? std::filesystem::path(chosen) : data("golden")) / name;
}

}  // namespace slipstream::test

#pragma once

#include <filesystem>
#include <string_view>

#include "models/error.hpp"

namespace slipstream {

/// The error of a write (or sync, or rename) to `file` that failed by errno `reason`: the file, the system's
/// words, and what to do about a full or read-only disk. `what`: "cannot be written".
run_error write_failure(const std::filesystem::path &file, int reason,
                        std::string_view what = "cannot be written");

}  // namespace slipstream

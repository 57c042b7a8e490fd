#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

namespace slipstream {

/// A whole file mapped read-only; the pointer's deleter unmaps it.
struct mapped_file {
  std::shared_ptr<const char> data;
  std::size_t size = 0;
};

/// Throws input_error when the file cannot be read or is empty.
mapped_file map_file(const std::filesystem::path &file);

/// Writes and syncs a file. Throws run_error naming file and reason.
void write_file(const std::filesystem::path &file, std::string_view text);
/// Syncs a file or folder that was written. Throws run_error.
void sync_path(const std::filesystem::path &path);

}  // namespace slipstream

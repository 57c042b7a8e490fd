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

/// Hints on pages of a mapped file: read them in now; forget those that lie wholly within the range.
void populate_pages(const void *start, std::size_t size);
void release_pages(const void *start, std::size_t size);

/// Writes and syncs a file. Throws run_error naming file and reason.
void write_file(const std::filesystem::path &file, std::string_view text);
/// Syncs a file or folder that was written. Throws run_error.
void sync_path(const std::filesystem::path &path);

}  // namespace slipstream

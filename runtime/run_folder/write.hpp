#pragma once

#include <filesystem>
#include <string_view>

namespace slipstream {

/// Makes a folder and its parents. Throws input_error naming the folder when it cannot be made or written
/// into.
void make_folder(const std::filesystem::path &folder);

/// Writes all of `text` to a file descriptor. Throws run_error naming `file` when it cannot.
void write_all(int descriptor, std::string_view text, const std::filesystem::path &file);

/// Writes a file aside (in the same folder), syncs it and renames it into place: a reader sees the old text
/// or the whole new one. Throws run_error naming the file when it cannot.
void write_aside(const std::filesystem::path &file, std::string_view text);

/// Points the symbolic link `link` at `target` (taken as it stands) by renaming a new link over the old.
void replace_link(const std::filesystem::path &link, const std::filesystem::path &target);

}  // namespace slipstream

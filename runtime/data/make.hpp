#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// One file of a made-up task: its name and its text.
struct made_file {
  std::string name;
  std::string text;
};

/// A made-up task: its files as a pure function of the seed.
struct maker {
  std::string name;
  std::vector<std::string> files;
  std::vector<made_file> (*make)(std::uint64_t seed);
};

/// All tasks that `slipstream data NAME` and `[data] make` know.
const std::vector<maker> &makers();

/// Throws input_error with a suggestion when there is no such task.
const maker &find_maker(std::string_view name);

/// Writes a task's files into `folder` (made when missing), each under another name first. Files that are
/// there already are left alone. Returns true when files were written. Throws input_error when only some of
/// them are there, or when the folder cannot be written.
bool make_data(const maker &task, const std::filesystem::path &folder, std::uint64_t seed);

}  // namespace slipstream

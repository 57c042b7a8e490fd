#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace slipstream {

/// The files that names and patterns ("parts/*.jsonl", with *, ? and [abc]) stand for: in the order given,
/// and those of one pattern sorted by the bytes of their names. Relative names are looked for in `folder`,
/// unless it is empty. Throws input_error where a pattern matches nothing, or a file is named twice.
std::vector<std::filesystem::path> find_data_files(const std::vector<std::string> &patterns,
                                                   const std::filesystem::path &folder);

}  // namespace slipstream

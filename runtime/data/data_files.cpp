#include "runtime/data/data_files.hpp"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <set>

#include "models/error.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

/// glob() sorts by the locale; the order of rows may not depend on that.
std::vector<fs::path> matches(const std::string &pattern) {
  glob_t found{};
  const auto status = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR, nullptr, &found);
  std::vector<fs::path> files(found.gl_pathv, found.gl_pathv + (status == 0 ? found.gl_pathc : 0));
  ::globfree(&found);
  if (status == GLOB_NOMATCH)
    throw input_error(fmt::format("{}: error: no data file matches this pattern; check the path", pattern));
  if (status != 0)
    throw input_error(
        fmt::format("{}: error: a folder of this pattern cannot be read; check its permissions", pattern));
  std::sort(files.begin(), files.end(), [](const auto &a, const auto &b) { return a.native() < b.native(); });
  return files;
}

std::vector<fs::path> files_of(const fs::path &name) {
  const auto text = name.string();
  if (text.find_first_of("*?[") == std::string::npos || fs::exists(name)) return {name};
  if (text.find("**") != std::string::npos)
    throw input_error(fmt::format(
        "{}: error: \"**\" is not read as any number of folders; name them one by one, as in [\"a/*.jsonl\", "
        "\"b/*.jsonl\"]",
        text));
  return matches(text);
}

}  // namespace

std::vector<fs::path> find_data_files(const std::vector<std::string> &patterns, const fs::path &folder) {
  std::vector<fs::path> files;
  std::set<fs::path> known;
  for (const auto &pattern : patterns) {
    const fs::path given = pattern;
    for (auto &file : files_of(given.is_relative() && !folder.empty() ? folder / given : given)) {
      if (!known.insert(file.lexically_normal()).second)
        throw input_error(
            fmt::format("{}: error: the dataset names this file twice; leave one out", file.string()));
      files.push_back(std::move(file));
    }
  }
  return files;
}

}  // namespace slipstream

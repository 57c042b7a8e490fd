#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace slipstream {

/// Appends JSON objects to a file, one a line, each with one write: a reader that follows the file sees whole
/// lines. Numbers that are not finite are written as null, bytes that are not UTF-8 as U+FFFD. Throws
/// run_error.
class json_lines {
 public:
  explicit json_lines(const std::filesystem::path &file);
  ~json_lines();
  json_lines(const json_lines &) = delete;
  json_lines &operator=(const json_lines &) = delete;

  void write(const nlohmann::json &line);

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// Writes one JSON value, indented, aside and renamed into place. Throws run_error.
void write_summary(const std::filesystem::path &file, const nlohmann::json &summary);

}  // namespace slipstream

#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace slipstream::test {

/// An empty folder of a test's own, removed at its end.
class scratch {
 public:
  scratch() {
    auto pattern = (std::filesystem::temp_directory_path() / "slipstream-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch folder in " + pattern);
    folder_ = pattern;
  }
  ~scratch() { std::filesystem::remove_all(folder_); }
  scratch(const scratch &) = delete;
  scratch &operator=(const scratch &) = delete;

  std::filesystem::path operator/(const std::filesystem::path &name) const { return folder_ / name; }
  const std::filesystem::path &path() const { return folder_; }

  /// Writes a file (and the folders above it) and returns its path.
  std::filesystem::path write(const std::filesystem::path &name, std::string_view text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

 private:
  std::filesystem::path folder_;
};

/// The bytes of a file.
inline std::string read_text(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace slipstream::test

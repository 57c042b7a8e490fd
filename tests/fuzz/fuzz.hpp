#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "models/error.hpp"

/// What a fuzzer calls with the bytes of one input; always 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace slipstream::fuzz {

inline std::string_view text_of(const std::uint8_t *data, std::size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

/// Reads; bytes that are refused with an error of ours are well, anything else thrown ends the program.
template <class Read>
int attempt(Read read) {
  try {
    read();
  } catch (const input_error &) {
  } catch (const run_error &) {
  }
  return 0;
}

/// A file of the process's own, for readers that take a path.
class file {
 public:
  explicit file(const std::string &name) {
    auto pattern = (std::filesystem::temp_directory_path() / "slipstream-fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for a fuzzer");
    folder_ = pattern;
    path_ = folder_ / name;
  }
  ~file() { std::filesystem::remove_all(folder_); }
  file(const file &) = delete;
  file &operator=(const file &) = delete;
  const std::filesystem::path &folder() const { return folder_; }
  const std::filesystem::path &write(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    return path_;
  }

 private:
  std::filesystem::path folder_, path_;
};

}  // namespace slipstream::fuzz

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace slipstream {

/// XXH64 of bytes that come in pieces: fast, known to other programs (`xxhsum -H64`), and no defence against
/// somebody who wants two files to look alike.
class running_xxh64 {
 public:
  running_xxh64();
  void add(std::string_view bytes);
  std::uint64_t sum() const;

 private:
  std::uint64_t lanes_[4];
  std::string rest_;  // less than a block
  std::uint64_t size_ = 0;
};

/// The XXH64 of a whole file, as 16 hexadecimal digits. Throws input_error when it cannot be read.
std::string file_checksum(const std::filesystem::path &file);

/// Writes checksums.json, the checksum of every other file in the folder. Throws run_error.
void write_checksums(const std::filesystem::path &folder);

/// Compares the folder's files with its checksums.json; a folder without one is older, and passes. Throws
/// input_error naming the first file that is missing or holds other bytes.
void verify_checksums(const std::filesystem::path &folder);

}  // namespace slipstream

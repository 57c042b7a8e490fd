#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/data/unpacker.hpp"

namespace slipstream {

/// The text of a file, piece by piece: as it stands, or unpacked where its first bytes are those of gzip or
/// zstd.
class file_pieces {
 public:
  /// Throws input_error "FILE: error: …" when the file cannot be read, or is of a kind that is not text.
  /// Packed files may unpack to `most_ratio` times their size, or to 16 MiB: text does not unpack to more,
  /// but archives that are made to fill a memory do.
  explicit file_pieces(const std::filesystem::path &file, std::size_t most_ratio = 200);

  /// Appends the next piece (256 KiB at most); false at the end. Throws input_error when packed bytes are
  /// damaged, cut off, or unpack to too much.
  bool next(std::string &text);

 private:
  [[noreturn]] void fail(std::string_view message) const;
  void refuse_others() const;
  void fill();

  std::filesystem::path file_;
  std::ifstream in_;
  std::string read_;  ///< bytes of the file, of which `rest_` is still to be taken
  std::string_view rest_;
  bool ended_ = false;
  std::unique_ptr<unpacker> unpack_;  ///< null: the bytes are the text
  std::size_t most_ratio_, most_ = 0, unpacked_ = 0;
};

/// A whole file, unpacked where it is packed.
std::string read_unpacked(const std::filesystem::path &file, std::size_t most_ratio = 200);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "models/files/gguf/types.hpp"

namespace slipstream {

/// Writes a GGUF file of version 3: keys first, then tensors, whose numbers are asked for when their turn
/// comes.
class gguf_writer {
 public:
  void text(const std::string &key, const std::string &value);
  void whole(const std::string &key, std::int64_t value);  ///< as 32 bits without a sign
  void number(const std::string &key, double value);       ///< as float32
  void flag(const std::string &key, bool value);
  void texts(const std::string &key, const std::vector<std::string> &values);
  void wholes(const std::string &key, const std::vector<std::int32_t> &values);

  /// Fills rows [first, first + count) of a tensor as float32.
  using row_source = std::function<void(std::int64_t first, std::int64_t count, float *to)>;
  /// `shape`: rows first. Rows of `type` must be whole blocks.
  void tensor(const std::string &name, const std::vector<std::int64_t> &shape, const gguf_type &type,
              row_source rows);

  /// Writes beside the file, syncs and renames it into place. Throws run_error when it cannot be written, and
  /// input_error for a number that the type cannot hold.
  void write(const std::filesystem::path &file) const;

 private:
  struct planned {
    std::string name;
    std::vector<std::int64_t> shape;
    const gguf_type *type;
    row_source rows;
    std::uint64_t size() const;
  };
  std::string header() const;

  std::string values_;
  std::uint64_t count_ = 0;
  std::vector<planned> tensors_;
};

/// The type that a tensor with rows of that length gets where `wanted` is asked for: F16 where its blocks do
/// not divide a row.
const gguf_type &gguf_type_for_rows(const gguf_type &wanted, std::int64_t width);

}  // namespace slipstream

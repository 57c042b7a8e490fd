#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/files/gguf/types.hpp"

namespace slipstream {

/// A value of a GGUF file's table, where it lies in the mapped file.
struct gguf_value {
  enum class kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };
  kind type{};
  kind element{};           ///< of a list
  std::uint64_t count = 1;  ///< of a list
  std::string_view bytes;   ///< a text's characters; else the value as it is stored
};

/// A tensor of a GGUF file: its rows are contiguous, the first size is a row's length.
struct gguf_tensor {
  const gguf_type *type = nullptr;
  std::vector<std::int64_t> shape;  ///< rows first, as LibTorch has it (the file has it the other way round)
  std::string_view bytes;
  std::int64_t count() const;
};

/// A GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), version 2 or 3, mapped into
/// memory. The whole header is checked before anything is kept: lengths, counts and offsets against the bytes
/// that are there, names given once, types known, tensors aligned and apart. Errors are input_error "FILE:
/// error: KEY: …".
class gguf_file {
 public:
  explicit gguf_file(const std::filesystem::path &file);

  const std::filesystem::path &path() const { return path_; }
  const std::map<std::string, gguf_value, std::less<>> &values() const { return values_; }
  const std::map<std::string, gguf_tensor, std::less<>> &tensors() const { return tensors_; }
  const gguf_value *find(std::string_view key) const;
  const gguf_tensor *find_tensor(std::string_view name) const;

  /// "FILE: error: KEY: WHY".
  [[noreturn]] void refuse(std::string_view key, const std::string &why) const;

  /// Values by key, none where it is absent; another type is refused. A list whose elements all agree stands
  /// for one number of each layer.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<std::int64_t> whole(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::vector<std::string_view>> texts(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> wholes(std::string_view key) const;

  /// The rows [first, first + count) of a tensor as float32; pages that were read are let go. Throws for a
  /// type that is not supported and for a number that is not finite.
  void read_rows(const std::string &name, std::int64_t first, std::int64_t count, float *to) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const char> data_;
  std::map<std::string, gguf_value, std::less<>> values_;
  std::map<std::string, gguf_tensor, std::less<>> tensors_;
};

/// Whether a path names a file rather than a folder: a model in one file.
bool is_model_file(const std::filesystem::path &path);

}  // namespace slipstream

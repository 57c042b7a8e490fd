#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace slipstream {

/// One tensor of a safetensors file, as its header tells: bytes begin .. end of the data that follow the
/// header.
struct stored_tensor {
  at::ScalarType type{};  ///< Undefined where LibTorch has no such type: the tensor cannot be read
  std::string dtype;      ///< as the file has it
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

/// A safetensors file (https://huggingface.co/docs/safetensors) mapped into memory, its header checked:
/// length within the file, names given once, sizes that match their types, data that neither overlap nor
/// leave gaps. Tensors of any type may stand in it.
class safetensors_file {
 public:
  /// Throws input_error naming file and tensor.
  explicit safetensors_file(const std::filesystem::path &file);

  const std::filesystem::path &path() const { return path_; }
  const std::map<std::string, stored_tensor> &tensors() const { return tensors_; }
  /// The tensor in its own type, reading the mapped file (never write to it); it keeps the mapping alive.
  /// Throws input_error for one that cannot be read.
  at::Tensor get(const std::string &name) const;
  /// Copies the tensor into `place` (same shape, any strides and float type). The pages that it was mapped to
  /// are let go as it is copied, so that reading a file does not hold it in memory twice.
  void copy_to(const std::string &name, const at::Tensor &place) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const char> data_;  // the first byte after the header
  std::map<std::string, stored_tensor> tensors_;
};

/// Writes dense copies of `tensors`, of a type that can be read, and syncs the file; floating-point
/// tensors as `floats` where that is given. Throws run_error.
void write_safetensors(const std::filesystem::path &file,
                       const std::vector<std::pair<std::string, at::Tensor>> &tensors,
                       std::optional<at::ScalarType> floats = {});

}  // namespace slipstream

#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/files/safetensors.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {

/// The safetensors files of a model folder, headers checked, and where each parameter of a layout lies in
/// them.
class stored_weights {
 public:
  /// Opens `stem`.safetensors, or the files that `stem`.safetensors.index.json names. Throws input_error.
  stored_weights(const std::filesystem::path &folder, const std::string &stem);

  /// Finds every slot, with or without the prefix of a whole language model ("model.", "transformer.").
  /// Throws input_error for one that is missing or has another shape or a type that is no float, and for
  /// tensors that belong to no slot and would be part of the computation, as a head that differs from the
  /// embedding which it is said to be. `optional_head`: score.weight may be missing.
  void match(const std::vector<parameter_slot> &slots, bool optional_head) const;

  /// Copies the parameters into `flat` as float32, matrices turned as the slots say; an optional head that is
  /// missing becomes zeros. The files' pages are let go on the way: memory grows by the flat buffer alone.
  void read(const std::vector<parameter_slot> &slots, const at::Tensor &flat) const;

 private:
  const safetensors_file *holder(const std::string &name) const;
  std::string stored_name(const parameter_slot &slot) const;
  void check_tied_head(const std::vector<parameter_slot> &slots) const;

  std::filesystem::path folder_;
  std::vector<std::shared_ptr<const safetensors_file>> files_;
  std::map<std::string, const safetensors_file *> holders_;
};

}  // namespace slipstream

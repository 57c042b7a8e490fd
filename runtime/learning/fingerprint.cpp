#include "runtime/learning/fingerprint.hpp"

#include <ATen/core/Tensor.h>
#include <zlib.h>

namespace slipstream {

std::vector<std::uint32_t> fingerprint(const transformer &model) {
  const at::Tensor values = model.trainable().detach().cpu().contiguous();
  const auto *bytes = static_cast<const Bytef *>(values.data_ptr());
  std::vector<std::uint32_t> sums;
  for (const parameter_slot &slot : model.trainable_layout()) {
    const auto size = static_cast<std::size_t>(slot.count()) * values.element_size();
    const auto sum = crc32_z(0, bytes + static_cast<std::size_t>(slot.offset) * values.element_size(), size);
    sums.push_back(static_cast<std::uint32_t>(sum));
  }
  return sums;
}

}  // namespace slipstream

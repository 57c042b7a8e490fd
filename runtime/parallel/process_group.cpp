#include "runtime/parallel/process_group.hpp"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/parallel/c10d_group.hpp"

namespace slipstream {

void require_groups(const std::string &device) {
  const bool gpu = device.rfind("cuda", 0) == 0;
  if (gpu ? has_nccl() : has_gloo()) return;
  throw input_error(
      gpu ? "ranks on GPUs need NCCL, which this build was made without (SLIPSTREAM_NCCL); write replicas = 1"
          : "ranks need Gloo (libgloo-dev), which this build was made without; write replicas = 1");
}

std::string rank_device(const std::string &device, std::int64_t rank) {
  const at::Device first(device);
  if (first.is_cpu()) return device;
  return fmt::format("cuda:{}", std::max<std::int64_t>(first.index(), 0) + rank);
}

std::shared_ptr<process_group> join_group(const std::shared_ptr<meeting_point> &where,
                                          const process_group_options &options) {
  require_groups(options.device);
  const bool gpu = options.device.rfind("cuda", 0) == 0;
  return gpu ? nccl_group(*where, options) : gloo_group(*where, options);
}

std::vector<std::string> process_group::gather(const std::string &own) {
  auto bytes = at::empty({static_cast<std::int64_t>(own.size())}, at::kByte);
  std::memcpy(bytes.data_ptr(), own.data(), own.size());
  std::vector<std::string> texts;
  for (const auto &tensor : gather(bytes))
    texts.emplace_back(static_cast<const char *>(tensor.data_ptr()),
                       static_cast<std::size_t>(tensor.numel()));
  return texts;
}

}  // namespace slipstream

#include "models/network/place.hpp"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "models/error.hpp"

namespace slipstream {

void require_device(const std::string &device) {
  c10::Device parsed(c10::kCPU);
  try {
    parsed = c10::Device(device);
  } catch (const std::exception &) {
    throw input_error("device \"" + device + "\" is not a device; use \"cpu\", \"cuda\" or \"cuda:N\"");
  }
  if (parsed.is_cpu()) return;
  if (!parsed.is_cuda())
    throw input_error("device \"" + device + "\" is not supported; use \"cpu\" or \"cuda:N\"");
  const auto count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()) : 0;
  if (count == 0)
    throw input_error("device \"" + device +
                      "\": this LibTorch sees no GPU; use device = \"cpu\", or a LibTorch " +
                      "built with CUDA on a machine with a GPU (docs/gpu.md)");
  if (parsed.has_index() && parsed.index() >= count)
    throw input_error("device \"" + device + "\": there are only " + std::to_string(count) +
                      " GPUs (cuda:0 to cuda:" + std::to_string(count - 1) + ")");
}

std::shared_ptr<const transformer> place(std::shared_ptr<const transformer> model, const std::string &device,
                                         numerics mode) {
  const c10::Device wanted(device);
  if (model->flat().device() == wanted && model->mode() == mode) return model;
  if (const adapter_spec *adapter = model->adapter())
    return std::make_shared<const transformer>(model->spec(), model->flat().to(wanted), *adapter,
                                               model->trainable().to(wanted), mode);
  return std::make_shared<const transformer>(model->spec(), model->flat().to(wanted), mode);
}

}  // namespace slipstream

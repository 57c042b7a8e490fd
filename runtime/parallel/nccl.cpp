// Ranks on GPUs, one each. Where LibTorch has no NCCL, no_nccl.cpp is compiled instead.
#ifndef USE_C10D_NCCL  // some LibTorch packages set it, and the header is empty without it
#define USE_C10D_NCCL
#endif
#include <c10/cuda/CUDAFunctions.h>

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "runtime/parallel/c10d_group.hpp"

namespace slipstream {
namespace {

class nccl_ranks : public c10d_group<c10d::ProcessGroupNCCL> {
 public:
  using c10d_group::c10d_group;
  void leave() override {
  }  // not every version of NCCL can break off, so the other ranks wait until their patience ends
};

}  // namespace

bool has_nccl() {
  return true;
}

std::shared_ptr<process_group> nccl_group(const meeting_point &where, const process_group_options &options) {
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(at::Device(options.device).index()));
  const auto settings = c10d::ProcessGroupNCCL::Options::create();
  settings->timeout = options.patience;
  return std::make_shared<nccl_ranks>(
      c10::make_intrusive<c10d::ProcessGroupNCCL>(where.store, static_cast<int>(options.rank),
                                                  static_cast<int>(options.size), settings),
      options);
}

}  // namespace slipstream

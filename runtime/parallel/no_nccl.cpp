// Compiled instead of nccl.cpp where LibTorch has no NCCL.
#include "models/error.hpp"
#include "runtime/parallel/c10d_group.hpp"

namespace slipstream {

bool has_nccl() {
  return false;
}

std::shared_ptr<process_group> nccl_group(const meeting_point &, const process_group_options &) {
  throw run_error("this build has no NCCL");
}

}  // namespace slipstream

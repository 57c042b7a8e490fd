// Ranks on the CPU. In its place no_gloo.cpp is compiled where Gloo's headers are not there.
#ifndef USE_C10D_GLOO  // some LibTorch packages set it, and the header is empty without it
#define USE_C10D_GLOO
#endif
#include <gloo/context.h>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "runtime/parallel/c10d_group.hpp"

namespace slipstream {
namespace {

class breakable_gloo : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;
  void break_connections() {
    for (const auto &context : contexts_) context->closeConnections();
  }
};

class gloo_ranks : public c10d_group<breakable_gloo> {
 public:
  using c10d_group::c10d_group;
  void leave() override {
    try {
      group()->break_connections();
    } catch (const std::exception &) {  // those to ranks that are gone are broken already
    }
  }
};

}  // namespace

bool has_gloo() {
  return true;
}

std::shared_ptr<process_group> gloo_group(const meeting_point &where, const process_group_options &options) {
  const auto settings = c10d::ProcessGroupGloo::Options::create(options.patience);
  settings->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  settings->threads = 1;  // the ranks of one machine share its cores
  try {
    return std::make_shared<gloo_ranks>(
        c10::make_intrusive<breakable_gloo>(where.store, static_cast<int>(options.rank),
                                            static_cast<int>(options.size), settings),
        options);
  } catch (const std::exception &problem) {
    throw rank_lost(
        fmt::format("rank {} of {} cannot join the others: {}", options.rank, options.size, problem.what()));
  }
}

}  // namespace slipstream

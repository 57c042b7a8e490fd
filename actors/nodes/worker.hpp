#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "actors/nodes/links.hpp"
#include "actors/registry.hpp"

namespace slipstream {

/// A process that a run places actors on.
struct worker_options {
  std::string name;
  std::optional<endpoint> join;    ///< the run that it joins
  std::optional<endpoint> listen;  ///< or where it waits for one
  link_options link;
  std::int64_t patience_ms = 60'000;  ///< how long it looks for a run, or for one that it lost; 0: for ever
  std::int64_t threads = 0;           ///< compute threads of its actors together; 0: as the run says
  std::function<bool()> interrupted;  ///< asked ten times a second: leave; may be empty
  std::function<void(const std::string &)> say;  ///< one line on what happens
};

/// Serves runs until the one that it joined has ended (with `listen`: one after the other). Returns 0 when
/// the run has ended, and 130 when it was told to leave and its actors have handed their work back. Throws
/// input_error when the run refuses it, run_error when none is found within its patience.
int run_worker(const registry &kinds, const worker_options &options);

}  // namespace slipstream

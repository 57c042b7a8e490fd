#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/topology/document.hpp"

namespace slipstream {

/// A signal for the process of a placed replica, sent once the main learner has made `update` versions.
struct chaos_event {
  enum class action { kill, stop, resume };  ///< SIGKILL, SIGSTOP, SIGCONT
  std::int64_t update = 0;
  action what = action::kill;
  std::string replica;  ///< "sampler-2"
  source_position at;
};

/// [chaos]: failures on purpose, so that their consequences can be reproduced.
struct chaos_config {
  std::vector<chaos_event> events;
  std::int64_t delay_weights_ms = 0;  ///< before a version goes out to the nodes
  source_position at;
};

/// Reads [chaos] of a topology document. Throws input_error at the faulty key.
chaos_config read_chaos(const node &document);

/// [chaos] as TOML; empty where there is none.
std::string write_chaos(const chaos_config &chaos);

}  // namespace slipstream

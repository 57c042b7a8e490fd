#pragma once

#include <caf/fwd.hpp>

#include <map>
#include <string>
#include <vector>

#include "actors/services.hpp"
#include "runtime/schedule/path_book.hpp"

namespace slipstream {

/// Where a run goes on from: the learner's version, and the prompts that wait again or go on, with the oldest
/// version that may make their tokens.
struct resumed_books {
  std::int64_t version = 0;
  std::map<std::uint64_t, std::int64_t> waiting{};
  std::map<std::uint64_t, begun_samples> begun{};  ///< what those have got that go on
  std::map<std::uint64_t, std::map<std::string, std::int64_t>>
      model_versions{};  ///< of those, where there are any
};

/// The learners of a run: who trains on which path, and the models of those that keep no step with the main
/// one.
struct ledger_paths {
  path_book book{};
  std::map<std::string, std::string> model_of{};   ///< learner to model
  std::map<std::string, std::int64_t> versions{};  ///< of those models, as the run begins or goes on
};

/// Keeps the books of one loader and admits prompts. `version_follows` false: the samplers' model does not
/// move with the learner, whose version counts instead.
ledger_actor spawn_ledger(caf::actor_system &system, ledger books, bool version_follows,
                          run_services services, resumed_books resumed = {}, ledger_paths paths = {});

}  // namespace slipstream

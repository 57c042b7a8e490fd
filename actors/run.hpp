#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "actors/preflight.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/plumbing/progress.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/wire/endpoint.hpp"

namespace slipstream {

/// Readies a host program's configuration for topologies, before its actor_system exists.
void configure(caf::actor_system_config &config);
/// The same for a topology whose actors may run on nodes: it opens a port only then.
void configure(caf::actor_system_config &config, const topology &graph);

struct run_options {
  progress_style progress = progress_style::none;
  bool detached = true;  ///< compute actors on threads of their own; false for virtual time
  bool resume = false;   ///< go on with what the run's folder holds; a run that never began begins
  std::function<bool()> interrupted;  ///< asked ten times a second; true ends the run cleanly; may be empty
  std::function<void(const endpoint &)> nodes_open{};  ///< told where nodes may join; may be empty
  std::function<void(const std::string &)> say{};  ///< told what becomes of nodes and rewards; may be empty
};

/// Spawns the actors of a verified topology and their supervisor, ready to wait on. The run's folder is
/// written if `paths` names one.
supervisor_actor spawn_topology(caf::actor_system &system, preflight &plan, const run_paths &paths,
                                const run_options &options, const resume_point *resumed = nullptr);

/// Runs a verified topology to its end in its run folder and writes the summary, which it returns (see
/// DESIGN: summary.json; "status", "exit_code", "error" among its keys). Throws input_error when the folder
/// cannot be had.
nlohmann::json run_topology(caf::actor_system &system, preflight &plan, const run_options &options);

}  // namespace slipstream

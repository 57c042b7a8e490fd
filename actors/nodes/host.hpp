#pragma once

#include <caf/actor.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/topology/chaos.hpp"
#include "runtime/topology/nodes.hpp"

namespace slipstream {

/// What a run knows of its nodes before any is there.
struct host_setup {
  nodes_config nodes;
  std::string run;                            ///< its name, for messages
  std::map<std::string, std::string> orders;  ///< by label: what its node is told
  std::string learner;                        ///< the name under which our own process is listed
  std::filesystem::path processes;            ///< file of names and process ids; empty: none
  bool plain = true;                          ///< no certificates: this machine only
  std::vector<chaos_event> chaos;  ///< by update; done when the main learner's versions say so (snapshot_ptr)
  std::function<void(const std::string &)> say;  ///< one line on what became of a node
};

/// Meets the nodes of a run: takes in those that join, looks for those that listen, checks their names, tells
/// each what to run, and again when it comes back. Ends the proxies of an actor that has run nowhere for
/// too long. On exit it tells the nodes that the run has ended.
caf::actor spawn_node_host(caf::actor_system &system, const host_setup &setup);

}  // namespace slipstream

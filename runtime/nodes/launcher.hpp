#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/topology/nodes.hpp"
#include "runtime/wire/endpoint.hpp"

namespace slipstream {

/// The words that start a node's process: here, or through ssh or srun on another machine.
std::vector<std::string> launch_words(const nodes_config &nodes, const node_config &node,
                                      const std::string &program, const endpoint &join);

/// A word as a shell reads it back unchanged.
std::string shell_word(const std::string &word);

/// The processes of a run's nodes. Those of this machine end with the thread that started them.
class node_launcher {
 public:
  /// What nodes print goes to `folder`/NAME.log.
  node_launcher(nodes_config nodes, std::string program, std::filesystem::path folder,
                std::function<void(const std::string &)> say);
  /// Ends those that are left.
  ~node_launcher();
  node_launcher(const node_launcher &) = delete;
  node_launcher &operator=(const node_launcher &) = delete;

  /// Starts every node that is to be launched. Throws input_error when ssh or srun is not here.
  void start(const endpoint &join);
  /// Starts anew those that died, within each one's budget and later each time. One that is stopped (SIGSTOP)
  /// for longer than [nodes] timeout has lost its place: it is killed first. To be called often.
  void look_after();
  /// Waits until all have ended, and ends what has not after `grace`.
  void finish(std::chrono::milliseconds grace);

 private:
  struct child {
    pid_t pid = 0;  ///< 0: it does not run
    std::int64_t restarts = 0;
    bool over = false;  ///< it is not started again
    std::chrono::steady_clock::time_point due{};
    std::optional<std::chrono::steady_clock::time_point> stopped;  ///< by a signal, since then
  };
  void start(const node_config &node, child &process);
  void end_stopped(const node_config &node, child &process);
  void ended(const node_config &node, child &process, int wait_status);
  bool collect();  ///< whether one runs still

  nodes_config nodes_;
  std::string program_;
  std::filesystem::path folder_;
  std::function<void(const std::string &)> say_;
  endpoint join_;
  std::map<std::string, child> children_;
  bool ending_ = false;
};

}  // namespace slipstream

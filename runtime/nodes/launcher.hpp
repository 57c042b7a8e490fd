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

/// Returns the last line that a program wrote to its log after `begin`, or the last error if there was one.
/// Lines of a node that works do not count; empty: there is no other line.
std::string last_words(const std::filesystem::path &log, std::uintmax_t begin);

/// The processes of a run's nodes. Those of this machine end with the thread that started them; those that
/// ssh or srun starts are tied to this object by their standard input, and end when that ends.
class node_launcher {
 public:
  /// What nodes print goes to `folder`/NAME.log.
  node_launcher(nodes_config nodes, std::string program, std::filesystem::path folder,
                std::function<void(const std::string &)> say);
  /// Ends the processes that are left.
  ~node_launcher();
  node_launcher(const node_launcher &) = delete;
  node_launcher &operator=(const node_launcher &) = delete;

  /// Starts every node that is to be launched. Throws input_error when ssh or srun is not here.
  void start(const endpoint &join);
  /// Starts nodes that died again, each within its budget and after a longer pause each time. The run has
  /// given up a node that is stopped (SIGSTOP) for longer than [nodes] timeout, so it is killed first. The
  /// caller calls this often.
  void look_after();
  /// Waits until all nodes have ended, and ends those that have not after `grace`.
  void finish(std::chrono::milliseconds grace);

 private:
  struct child {
    pid_t pid = 0;                  ///< 0: it does not run
    std::uintmax_t log_begins = 0;  ///< length of its log when it was started
    std::int64_t restarts = 0;
    bool over = false;  ///< it is not started again
    std::chrono::steady_clock::time_point due{};
    std::optional<std::chrono::steady_clock::time_point> stopped;  ///< by a signal, since then
  };
  void start(const node_config &node, child &process);
  void end_stopped(const node_config &node, child &process);
  void ended(const node_config &node, child &process, int wait_status);
  bool collect();  ///< returns whether a node still runs
  void let_go();   ///< ends the standard input of all

  nodes_config nodes_;
  std::string program_;
  std::filesystem::path folder_;
  std::function<void(const std::string &)> say_;
  endpoint join_;
  std::map<std::string, child> children_;
  int tie_[2] = {-1, -1};  ///< a pipe that nobody writes to: its reading end is the nodes' standard input
  bool ending_ = false;
};

}  // namespace slipstream

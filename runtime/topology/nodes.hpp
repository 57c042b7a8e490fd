#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/topology/document.hpp"

namespace slipstream {

/// [nodes.NAME]: a process beside the run's own that actors may be placed on.
struct node_config {
  std::string name;
  std::string address;           ///< HOST:PORT where it listens; empty: it joins the run
  std::string launch = "local";  ///< how `slipstream launch` starts it: "local", "ssh", "srun", "none"
  std::string host;              ///< "ssh", "srun": the machine that it is started on
  std::string program;           ///< of another machine; empty: the path of this one
  std::string certificate, key;  ///< its own files on its machine; empty: those of [nodes]
  std::int64_t threads = 0;      ///< compute threads of its actors together; 0: as [run] threads
  std::int64_t restarts = 3;     ///< how often `slipstream launch` starts it anew
  source_position at;
};

/// [nodes]
struct nodes_config {
  std::string listen = "127.0.0.1:0";       ///< where nodes join; port 0: any free one
  std::string weights;                      ///< where weights are streamed from; empty: host of `listen`
  std::string certificate, key, authority;  ///< PEM files; empty: plain text on this machine
  std::int64_t heartbeat_ms = 500;          ///< between signs of life
  std::int64_t timeout_ms = 5000;           ///< without one, the other side is taken for dead
  std::int64_t patience_ms = 60'000;        ///< an actor that runs nowhere is waited for that long
  std::int64_t actor_restarts = 3;          ///< of one placed actor that fails
  std::int64_t relay_fanout = 1;            ///< nodes that one passes weights on to; 0: all ask the run
  std::string spool;  ///< folder on each node's disk that weights arrive in; empty: in memory
  std::vector<node_config> members;
  source_position at;

  const node_config *find(const std::string &name) const;  ///< null when there is none
};

/// Reads [nodes] of a topology document. Throws input_error at the faulty key.
nodes_config read_nodes(const node &document);

/// "WHAT: error: TEXT" as a part of a message that says "error:" before.
std::string without_error_mark(std::string message);

/// [nodes] as TOML with all defaults; empty where there are none.
std::string write_nodes(const nodes_config &nodes);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <string>

#include "runtime/wire/weight_stream.hpp"

// What the processes of the benchmark `nodes` are told on their command line, and the two ends of a transfer
// that they are.
namespace slipstream::bench {

struct arguments {
  std::string role, place, relay, files, name;
  std::string spool;  ///< folder that a receiver's versions arrive in; empty: in memory
  std::int64_t megabytes = 256, rounds = 7;
  bool shared = false;  ///< through shared memory
  bool half = false;    ///< bfloat16 on the way
  bool keep = true;     ///< the receiver's user holds the last version, as a sampler does
  bool touch = false;   ///< and reads all of it
  std::int64_t elements() const { return megabytes * (1 << 20) / 4; }
  wire_security security() const;
  wire_limits limits() const;
};

/// A line to whoever started this process.
void tell(const std::string &line);

/// Two versions in turn, so that no chunk is as before.
std::vector<at::Tensor> two_versions(std::int64_t elements);

/// Publishes a version for each "publish" that it is told, and tells its figures for each "figures".
int serve(const arguments &chosen);
/// Tells "got" of each version, and its figures for each "figures".
int receive(const arguments &chosen);
/// A bare socket: the bytes of a tensor, in pieces of 1 MiB, without a word about them.
int serve_bare(const arguments &chosen);
int receive_bare(const arguments &chosen);

}  // namespace slipstream::bench

#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/wire/endpoint.hpp"

// How weights get from the learner to other processes (docs/wire.md): they have streams of their own, beside
// the actors' messages, and a thread of their own in each process.
namespace slipstream {

/// How weights are written on the way. bfloat16 halves the bytes; the receiver gets the rounded values as
/// float32. Shared memory always holds float32, but never other values than a receiver elsewhere gets.
enum class wire_type : std::uint8_t { float32 = 0, bfloat16 = 1 };

/// What bounds memory and waiting. The defaults suit local networks.
struct wire_limits {
  wire_type transit = wire_type::float32;             ///< of a server; a relay passes on what it gets
  std::int64_t chunk_bytes = 1 << 20;                 ///< on the wire; a multiple of 4,096, at most 16 MiB
  std::int64_t max_elements = std::int64_t{1} << 36;  ///< of a model whose size the client does not know
  int max_connections = 64;   ///< of a server; beside them it holds as many strangers, 64 at most
  bool shared_memory = true;  ///< between processes of one machine
  std::chrono::milliseconds handshake{5'000};   ///< from connected to joined
  std::chrono::milliseconds silence{10'000};    ///< without a byte from the other side, or to it
  std::chrono::milliseconds transfer{600'000};  ///< for one version
  std::chrono::milliseconds patience{30'000};   ///< how long a client looks for a parent before it fails
  std::chrono::milliseconds first_retry{50};    ///< doubled after each failure, up to 2 s
};

/// One immutable version of one model.
struct weight_version {
  std::string model;         ///< at most 256 bytes
  std::int64_t version = 0;  ///< rises; from another server (a resumed run) it may begin anew
  at::Tensor flat;           ///< the trainable parameters, float32 [n], contiguous, CPU; never written again
  bool last = false;         ///< no newer one will come
};

/// The learner's side: offers the newest version of each model. A slow reader skips versions: it gets the
/// whole of the one it began with, and then the newest. An old version lives on while somebody reads it.
class weight_server {
 public:
  /// Listens from now on. Throws input_error (bad security, a plain place off this machine) or run_error (the
  /// port is taken).
  explicit weight_server(const endpoint &listen, const wire_security &security = {},
                         const wire_limits &limits = {});
  /// Ends all connections at once; receivers keep what they have.
  ~weight_server();
  weight_server(const weight_server &) = delete;
  weight_server &operator=(const weight_server &) = delete;

  /// The host as it was given, with the port that was found.
  endpoint address() const;
  /// Makes this the newest version of its model. Returns at once: the tensor is read later, by the server's
  /// thread. Throws run_error where the version is not above the last one, or no float32 vector.
  void publish(weight_version next);
  /// Takes back the newest version if it is this one. A reader that has not yet got the whole of it never
  /// shows it.
  void cancel(const std::string &model, std::int64_t version);
  /// {"connections", "refused" (broke the protocol, or were not let in), "bytes_sent" (of weights),
  /// "chunks_sent", "chunks_same" (left out: the reader had them), "shared" (versions given through memory),
  /// "versions_held", "readers": [{"name", "model", "version": the newest it has whole}]}. Any thread.
  nlohmann::json figures() const;

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

/// What a client is told to do.
struct weight_client_options {
  /// They are tried in turn: the nearest relay first, the learner last. After a broken connection the same
  /// parent is tried again and then the next one; a transfer goes on at the chunk where it stopped, whoever
  /// the parent is.
  std::vector<endpoint> parents;
  wire_security security;
  /// Names of the models to receive, and how many elements each has (0: not known; `max_elements` bounds it).
  std::map<std::string, std::int64_t> models;
  std::string name;  ///< for the server's figures; with certificates the server takes the certificate's
  /// Where the client listens as a relay, which passes each chunk on to others while a version arrives. Null:
  /// it is a leaf.
  std::shared_ptr<const endpoint> relay_listen;
  wire_limits limits;
  /// A folder on this machine's disk that versions from a stream arrive in, in files without a name: they
  /// become memory of this process only where they are looked at. Empty: they arrive in memory.
  std::string spool;
};

/// Throws input_error where versions cannot arrive in a folder: it is not there, not ours to write to, in
/// memory (tmpfs), or on a file system without unnamed files. An empty `folder` is fine.
void check_spool(const std::string &folder, const std::string &what);

/// A receiver. Only whole, checked versions are shown, each in memory that is not written again while anybody
/// holds its tensor. Memory that came through shared memory or a spool is read-only: writing to it ends the
/// process.
class weight_client {
 public:
  /// Connects in the background. `arrived` gets each version, `failed` (once, at the end) why no more will
  /// come: no parent within `patience`, or one that refused us. Both are called by the client's thread and
  /// must be quick (send a message), throw nothing, and leave the client alone; neither is called after the
  /// destructor. Throws like weight_server.
  weight_client(weight_client_options options, std::function<void(weight_version)> arrived,
                std::function<void(const std::string &)> failed);
  ~weight_client();
  weight_client(const weight_client &) = delete;
  weight_client &operator=(const weight_client &) = delete;

  /// The address at which others may take versions from us. Throws run_error for a leaf.
  endpoint relay_address() const;
  /// Replaces the parents, nearest first. The client goes over to the first one at once, also in the middle
  /// of a transfer, which goes on at the chunk where it is. Throws input_error like the constructor.
  void set_parents(std::vector<endpoint> parents);
  /// Gives up the transfer of this model that is under way; the next newer version arrives as usual.
  void cancel(const std::string &model);
  /// {"connected", "shared" (versions that came through shared memory), "parent", "connections" (made so
  /// far), "bytes_received" (of weights), "chunks_received", "chunks_same", "chunks_resumed" (kept from a
  /// broken transfer), "transfer_seconds" (of the last), "versions": {model: newest}, "relay": a server's
  /// figures}. Any thread.
  nlohmann::json figures() const;

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

/// The parent of receiver `index` (0, 1, …) in a tree in which each node serves at most `fanout` others:
/// another receiver's index, or -1 for the learner. Fan-out 1 is a chain: the learner sends each version
/// once.
std::int64_t relay_parent(std::int64_t index, std::int64_t fanout);

}  // namespace slipstream

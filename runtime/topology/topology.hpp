#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/network/spec.hpp"
#include "models/types.hpp"
#include "runtime/schedule/rules.hpp"
#include "runtime/topology/chaos.hpp"
#include "runtime/topology/document.hpp"
#include "runtime/topology/facts.hpp"
#include "runtime/topology/nodes.hpp"
#include "runtime/topology/settings.hpp"

namespace slipstream {

/// [run]
struct run_config {
  std::string name;
  std::uint64_t seed = 1;
  std::int64_t updates = 0;
  std::string folder = "runs";
  std::int64_t threads = 0;  ///< compute threads of all actors together; 0: as many as the machine has cores
  std::int64_t checkpoint_every = 0;  ///< updates between checkpoints; 0: one at the end
  std::int64_t stall_after = 300;     ///< seconds without any progress
  bool restart_stalled = true;        ///< nodes that hold work then are started again before the run is ended
  slipstream::numerics numerics = slipstream::numerics::fast;
  std::string date;  ///< that chat templates write, as in "2026-11-30 14:05:09"; empty: when the run began
};

/// [schedule]
struct schedule_config : schedule_rules {
  double window_share = 0;  ///< window as it was given, as a share of the batch; 0: in groups
  source_position at;       ///< of `batch`
  slipstream::node table;
  std::vector<std::string> known;         ///< its keys: those of all orders, and its order's
  std::map<std::string, double> numbers;  ///< that belong to the order alone, once it is known

  source_position position(
      const std::string &key) const;  ///< of the key, or of `batch` where it is not given
};

/// [models.NAME]: another run's or a folder's checkpoint, a copy of another model, or a fresh network.
struct model_config {
  enum class origin { from, copy_of, fresh };
  std::string name;
  origin source = origin::fresh;
  std::string from;         ///< "run:NAME" or a folder
  std::string copy_of;      ///< name of another model
  model_spec spec;          ///< of a fresh network; vocabulary and special tokens are set with the tokenizer
  std::string alphabet;     ///< of a fresh network's character tokenizer; empty: `tokenizer` is given
  std::string tokenizer;    ///< "bytes" or a folder with a tokenizer.json
  std::int64_t labels = 0;  ///< 1: head = "score"
  std::optional<adapter_spec> lora;  ///< low-rank adapters train instead of the weights
  source_position at;                ///< of `from` or `copy_of`, else of the table
};

/// [data]: files to write once when they are missing; `make` is empty when there is nothing to make.
struct data_config {
  std::string make;
  std::string folder;
  std::uint64_t seed = 1;
  source_position at;
};

/// One entry of `takes`.
struct taken {
  std::string name;
  source_position at;
};

/// [actors.NAME]; `node` holds the keys of the actor's kind only.
struct actor_config {
  std::string name;
  std::string kind;
  std::vector<taken> takes;
  std::string device = "cpu";
  std::vector<taken> nodes;  ///< names of the nodes that its replicas go to in turn; empty: the run's process
  slipstream::node node;
  source_position at;  ///< of the table
  source_position kind_at;
  source_position device_at;
  actor_facts facts;  ///< once the kind has read the keys
  actor_keys keys;    ///< as the kind's struct, once it has read them

  /// A reader of the kind's own keys; put `settings::resolved()` back into `node` to have defaults written
  /// out.
  slipstream::settings settings() const;
};

struct topology {
  std::filesystem::path source;
  run_config run;
  schedule_config schedule;
  std::vector<model_config> models;
  data_config data;
  nodes_config nodes;
  chaos_config chaos;
  std::vector<actor_config> actors;  ///< in the order of the file
  std::vector<std::string> notes{};  ///< what the user should know of the file: old names of keys

  const actor_config *find_actor(std::string_view name) const;  ///< null when there is none
  const model_config *find_model(std::string_view name) const;
  std::filesystem::path run_folder() const;  ///< run.folder / run.name
};

/// Reads a topology file, applies "table.key=value" overrides, and checks all that needs no registry of
/// kinds. Throws input_error "FILE:LINE:COL: error: …" naming the mend.
topology read_topology(const std::filesystem::path &file, const std::vector<std::string> &overrides = {});

/// Reads the files of one command. An override whose actor or model only some of the files have is applied to
/// those; it is an error when none has it.
std::vector<topology> read_topologies(const std::vector<std::filesystem::path> &files,
                                      const std::vector<std::string> &overrides);

/// The same, from a parsed document.
topology make_topology(const node &document, const std::filesystem::path &source);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/network/spec.hpp"
#include "models/network/transformer.hpp"
#include "models/tokenizers/files.hpp"
#include "runtime/wire/endpoint.hpp"

namespace slipstream {

/// A model as a node is told of it: everything but the weights. These come by the weight streams, under the
/// model's name; where adapters train, the weights below them come under base_stream().
struct transferred_model {
  std::string name;
  model_spec spec;
  tokenizer_files text;
  std::optional<adapter_spec> adapter;
  bool moves = false;  ///< a learner trains it
  std::int64_t first_version = 0;
};
std::string base_stream(const std::string &model);
/// The name under which a learned model's weights are streamed as they are when the run begins or goes on,
/// for the ranks that train copies of it.
std::string initial_stream(const std::string &model);

/// What a node is told of an actor that it shall run.
struct placement_request {
  std::string label;     ///< the replica's name ("sampler-1")
  std::string actor;     ///< its name in the topology
  std::string topology;  ///< resolved TOML text
  endpoint weights;      ///< where the run's weights are streamed from
  std::vector<transferred_model> models;
  std::int64_t threads = 0;  ///< compute threads of the node; 0: as many as its machine has cores
  bool relay = false;        ///< weights are passed on to other nodes
  std::string machine;       ///< machine_key() of the run: nodes there share its memory and pass nothing on
};

std::string encode_order(const placement_request &order);
/// Throws run_error for bytes that are no request.
placement_request decode_order(std::string_view bytes);

}  // namespace slipstream

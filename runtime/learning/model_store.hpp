#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "models/files/checkpoint.hpp"
#include "models/network/transformer.hpp"
#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// What is known of a model before its weights are read.
struct model_description {
  model_spec spec;
  std::shared_ptr<const tokenizer> text;
  std::filesystem::path folder;           ///< of its checkpoint; empty for a fresh network
  std::optional<stored_adapter> adapter;  ///< without values
};

/// The models of a topology, each read once. Copies share one immutable buffer until somebody trains.
class model_store {
 public:
  explicit model_store(const topology &graph);

  /// Reads config and tokenizer only. Throws input_error at the model's place in the topology.
  const model_description &describe(const std::string &name);
  /// Adds what a dataset's chat template ends answers with to the tokens that the model and its copies stop
  /// at. Returns a sentence about what the model's files do not say, or nothing.
  std::string stop_at_answer_end(const std::string &name, const chat_template &style);
  /// The weights, on the CPU, in the run's numerics.
  std::shared_ptr<const transformer> load(const std::string &name);
  /// What another process knows of a model, for one whose files are not here; `network` may be null until
  /// its weights have come.
  void provide(const std::string &name, model_description description,
               std::shared_ptr<const transformer> network = nullptr);

 private:
  const model_config &config(const std::string &name) const;

  const topology &graph_;
  std::map<std::string, model_description> descriptions_;
  std::map<std::string, std::shared_ptr<const transformer>> loaded_;
};

}  // namespace slipstream

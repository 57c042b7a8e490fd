#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/tokenizers/chat.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/topology/facts.hpp"
#include "runtime/topology/settings.hpp"

namespace slipstream {

/// The keys of every kind that reads a dataset: `dataset`, `format`, `fields` and `chat`.
struct dataset_keys {
  std::vector<std::string> files;  ///< names and patterns
  data_options options;
  std::optional<chat_template> chat;  ///< given in the topology
  std::string chat_file;              ///< FILE.jinja, given instead
  std::string chat_name;              ///< "template:NAME", one of the model's own, given instead
};

dataset_keys read_dataset_keys(settings &s);
/// Which files are read.
void tell_dataset(const dataset_keys &keys, actor_facts &facts);

/// What happens to lines that are longer than the model's context.
enum class too_long { error, drop, truncate };
too_long read_too_long(settings &s);

}  // namespace slipstream

#pragma once

#include <optional>
#include <string>

#include "actors/preflight.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

/// The keys of every kind that reads a dataset: `dataset`, `format`, `fields` and `chat`.
struct dataset_keys {
  std::string file;
  data_options options;
  std::optional<chat_template> chat;  ///< given in the topology
};

dataset_keys read_dataset_keys(settings &s);

/// Reads it; a relative path is looked for in the made data's folder where there is one.
dataset read_dataset(const preflight &checks, const dataset_keys &keys);

/// The model's tokenizer with the given chat template, or the folder's own, or "plain" where there is none.
text_style style_for(const model_description &model, const dataset_keys &keys, const dataset &data);

/// What the learner makes of a line when no sampler stands between, by its loss.
example_form form_for(const preflight &checks);

}  // namespace slipstream

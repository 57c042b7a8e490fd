#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/preflight.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/learning/samples.hpp"

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

/// Reads it; a relative path is looked for in the made data's folder where there is one. Notes fields that
/// are not read.
dataset read_dataset(preflight &checks, const dataset_keys &keys);

/// The model's tokenizer with the given chat template, or the folder's own, or "plain" where there is none.
/// One that writes the date gets the run's.
text_style style_for(preflight &checks, const model_description &model, const dataset_keys &keys,
                     const dataset &data);

/// What becomes of lines that are longer than the model's context.
enum class too_long { error, drop, truncate };
too_long read_too_long(settings &s);

/// Throws input_error at the row, which needs `length` of `context` tokens.
[[noreturn]] void fail_long(const std::string &place, std::int64_t length, std::int64_t context,
                            bool sampled);

/// What a learner makes of a row, in at most `context` tokens; nothing when the row is to be left out. Throws
/// input_error at the row.
std::optional<sample_group> fitting_samples(const dataset &data, const example &row, example_form form,
                                            const text_style &style, std::int64_t context, too_long rule);

/// Notes how many rows of a file were left out, if any; throws input_error when all were.
void note_dropped(preflight &checks, const actor_config &self, const dataset &data, std::size_t kept,
                  std::int64_t context);

/// What the learner makes of a line when no sampler stands between, by its loss.
example_form form_for(const actor_config &learner);

}  // namespace slipstream

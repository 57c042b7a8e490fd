#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/preflight.hpp"
#include "runtime/kinds/dataset_keys.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

/// Reads it; a relative path is looked for in the made data's folder where there is one. Notes fields that
/// are not read.
dataset read_dataset(preflight &checks, const dataset_keys &keys);

/// The model's tokenizer with the given chat template, or the folder's own, or "plain" where there is none.
/// One that writes the date gets the run's.
/// Generations of the model `model` stop at what the template ends answers with.
text_style style_for(preflight &checks, const std::string &model, const dataset_keys &keys,
                     const dataset &data);

/// Throws input_error at the row, which needs `length` of `context` tokens.
[[noreturn]] void fail_long(const std::string &place, std::int64_t length, std::int64_t context,
                            bool sampled);

/// What lines a learner needs for samples of a form.
row_format format_of(example_form form);
/// Throws input_error naming the line when the learner cannot learn from it: a tie where its loss has no
/// place for ties, or a rating where it needs a label.
void check_judgement(const dataset &data, const example &row, const actor_config &learner);

/// What a learner makes of a row, in at most `context` tokens; nothing when the row is to be left out. Throws
/// input_error at the row.
std::optional<sample_group> fitting_samples(const dataset &data, const example &row, example_form form,
                                            const text_style &style, std::int64_t context, too_long rule);

/// Notes how many rows of a file were left out, if any; throws input_error when all were.
void note_dropped(preflight &checks, const actor_config &self, const dataset &data, std::size_t kept,
                  std::int64_t context);

}  // namespace slipstream

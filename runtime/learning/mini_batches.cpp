#include "runtime/learning/mini_batches.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/shares.hpp"

namespace slipstream {
namespace {

/// Cuts samples into one share a rank, of about as many tokens each, and each share into micro-batches. The
/// micro-batches of this rank become tensors. The tokens of each slice and the loss's denominators are
/// counted over all ranks.
void share_out(const std::vector<const sample *> &samples, const objective_row &row, const cutting &how,
               micro_batches &into) {
  const auto shares = share_by_tokens(samples, units_of(row.kind, samples), how.ranks);
  auto &tokens = into.slice_tokens;
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    const auto pieces = split_by_length(shares[rank], units_of(row.kind, shares[rank]), how.rows);
    tokens.resize(std::max(tokens.size(), pieces.size()));
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      for (const auto *entry : pieces[i]) tokens[i] += static_cast<std::int64_t>(entry->tokens.size());
      into.totals += count_samples(row, pieces[i]);
      if (rank != static_cast<std::size_t>(how.rank)) continue;
      into.own.push_back(collate(pieces[i], how.pad_token, how.device));
      into.own.back().inputs.age = token_ages(pieces[i], how.version, into.own.back().inputs.mask);
    }
  }
}

/// The samples of part `i` of `parts` of some groups.
std::vector<const sample *> samples_of_part(const sample_groups &groups, std::size_t i, std::size_t parts) {
  std::vector<const sample *> samples;
  for (auto at = groups.size() * i / parts; at < groups.size() * (i + 1) / parts; ++at)
    for (const auto &entry : groups[at]->samples) samples.push_back(&entry);
  return samples;
}

}  // namespace

std::vector<sample> mismatched_samples(const std::vector<const sample *> &samples) {
  if (samples.size() < 2)
    throw input_error(
        "kto compares answers with those to other prompts, and this mini-batch has one answer; "
        "raise [schedule] batch, or lower mini_batches");
  std::size_t longest = 0;
  for (const auto *entry : samples) longest = std::max(longest, entry->tokens.size());
  std::vector<sample> result;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto &asked = *samples[i], &answered = *samples[(i + 1) % samples.size()];
    sample mixed;
    mixed.prompt_length = asked.prompt_length;
    mixed.tokens.assign(asked.tokens.begin(), asked.tokens.begin() + asked.prompt_length);
    mixed.tokens.insert(mixed.tokens.end(), answered.tokens.begin() + answered.prompt_length,
                        answered.tokens.end());
    mixed.tokens.resize(std::min(mixed.tokens.size(), longest));  // what the context has room for
    mixed.trained = answered.trained;
    if (!mixed.trained.empty())
      mixed.trained.resize(mixed.tokens.size() - static_cast<std::size_t>(mixed.prompt_length));
    result.push_back(std::move(mixed));
  }
  return result;
}

mini_batch cut_samples(const std::vector<const sample *> &samples, const objective_row &row,
                       const cutting &how) {
  mini_batch result;
  std::vector<const sample *> useful;
  for (const auto *entry : samples) {
    if (!how.leave_out_zero || has_advantage(*entry)) {
      useful.push_back(entry);
      continue;
    }
    result.sampled.totals.tokens +=
        static_cast<double>(entry->tokens.size()) - static_cast<double>(entry->prompt_length);
    result.sampled.totals.sequences += 1;
  }
  share_out(useful, row, how, result.sampled);
  return result;
}

std::vector<mini_batch> cut_batch(const sample_groups &batch, const sample_groups &demonstrations,
                                  std::int64_t count, const objective_row &row, const cutting &how) {
  std::vector<mini_batch> result;
  const auto parts = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < parts; ++i) {
    const auto samples = samples_of_part(batch, i, parts);
    result.push_back(cut_samples(samples, row, how));
    if (row.kind == input_kind::labelled_answers) {
      const auto mismatched = mismatched_samples(samples);
      std::vector<const sample *> given;
      for (const auto &entry : mismatched) given.push_back(&entry);
      share_out(given, row, how, result.back().mismatched);
    }
    share_out(samples_of_part(demonstrations, i, parts), cross_entropy(), how, result.back().demonstrated);
  }
  return result;
}

std::vector<micro_batch *> own_micro_batches(std::vector<mini_batch> &batch) {
  std::vector<micro_batch *> result;
  for (auto &mini : batch)
    for (auto &micro : mini.sampled.own) result.push_back(&micro);
  return result;
}

std::optional<batch_slice> slice_at(const std::vector<mini_batch> &batch, bool first_pass,
                                    std::int64_t epochs, std::size_t n) {
  const auto find = [&](bool forward_only, std::int64_t epoch) -> std::optional<batch_slice> {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto slices = forward_only ? batch[i].sampled.slice_tokens.size() : batch[i].slices();
      if (n < slices) {
        const bool last = n + 1 == slices;
        return batch_slice{forward_only, i, n, epoch, last, last && i + 1 == batch.size()};
      }
      n -= slices;
    }
    return {};
  };
  if (first_pass)
    if (const auto found = find(true, 0)) return found;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
    if (const auto found = find(false, epoch)) return found;
  return {};
}

}  // namespace slipstream

#include "runtime/learning/collate.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace slipstream {
namespace {

/// Rows of response values placed after each prompt in a zeroed [B,T]; undefined when the first row has none.
at::Tensor place_responses(const std::vector<const sample *> &samples, std::int64_t width,
                           std::vector<float> sample::*values) {
  if (((*samples.front()).*values).empty()) return {};
  auto result = at::zeros({static_cast<std::int64_t>(samples.size()), width}, at::kFloat);
  auto *row = result.data_ptr<float>();
  for (const auto *entry : samples) {
    std::copy((entry->*values).begin(), (entry->*values).end(), row + entry->prompt_length);
    row += width;
  }
  return result;
}

at::Tensor response_mask(const std::vector<const sample *> &samples, std::int64_t width) {
  auto result = at::zeros({static_cast<std::int64_t>(samples.size()), width}, at::kFloat);
  auto *row = result.data_ptr<float>();
  for (const auto *entry : samples) {
    if (entry->trained.empty())
      std::fill(row + entry->prompt_length, row + entry->tokens.size(), 1.0F);
    else
      std::copy(entry->trained.begin(), entry->trained.end(), row + entry->prompt_length);
    row += width;
  }
  return result;
}

at::Tensor score_targets(const std::vector<const sample *> &samples) {
  const auto none = [](const sample *given) { return std::isnan(given->score); };
  if (std::all_of(samples.begin(), samples.end(), none)) return {};
  auto result = at::empty({static_cast<std::int64_t>(samples.size())}, at::kFloat);
  auto *entry = result.data_ptr<float>();
  for (const auto *given : samples) *entry++ = static_cast<float>(given->score);
  return result;
}

at::Tensor moved(const at::Tensor &tensor, const at::Device &device) {
  return tensor.defined() ? tensor.to(device) : tensor;
}

}  // namespace

micro_batch collate(const std::vector<const sample *> &samples, std::int64_t pad, const at::Device &device) {
  std::vector<std::vector<std::int64_t>> rows;
  micro_batch result;
  for (const auto *entry : samples) {
    rows.push_back(entry->tokens);
    result.token_count += static_cast<std::int64_t>(entry->tokens.size());
  }
  const auto tokens = pad_tokens(rows, pad);
  const auto width = tokens.ids.size(1);
  result.tokens = {moved(tokens.ids, device), moved(tokens.lengths, device)};
  if (std::any_of(samples.begin(), samples.end(), [](const auto *entry) { return !entry->kept.empty(); }))
    for (const auto *entry : samples) result.tokens.kept.push_back(entry->kept);
  result.inputs.mask = moved(response_mask(samples, width), device);
  result.inputs.behaviour = moved(place_responses(samples, width, &sample::behaviour), device);
  result.inputs.reference = moved(place_responses(samples, width, &sample::reference), device);
  result.inputs.advantages = moved(place_responses(samples, width, &sample::advantages), device);
  result.inputs.old_values = moved(place_responses(samples, width, &sample::values), device);
  result.inputs.returns = moved(place_responses(samples, width, &sample::returns), device);
  result.inputs.targets = moved(score_targets(samples), device);
  return result;
}

at::Tensor token_ages(const std::vector<const sample *> &samples, std::int64_t version,
                      const at::Tensor &mask) {
  if (samples.front()->versions.empty()) return {};
  auto result = at::zeros(mask.sizes(), at::kFloat);
  auto *row = result.data_ptr<float>();
  for (const auto *entry : samples) {
    for (std::size_t t = 0; t < entry->versions.size(); ++t)
      row[static_cast<std::size_t>(entry->prompt_length) + t] =
          static_cast<float>(version - entry->versions[t]);
    row += mask.size(1);
  }
  return result.to(mask.device());
}

std::vector<std::vector<const sample *>> split_by_length(const std::vector<const sample *> &samples,
                                                         const unit_sizes &units, std::int64_t rows) {
  struct extent {
    std::size_t longest = 0, first = 0, size = 0;
  };
  std::vector<extent> extents;
  std::size_t first = 0;
  for (const auto size : units) {
    extent each{0, first, size};
    for (std::size_t i = first; i < first + size; ++i)
      each.longest = std::max(each.longest, samples[i]->tokens.size());
    extents.push_back(each);
    first += size;
  }
  std::stable_sort(extents.begin(), extents.end(),
                   [](const auto &a, const auto &b) { return a.longest < b.longest; });
  std::vector<std::vector<const sample *>> result;
  for (const auto &each : extents) {
    if (result.empty() || static_cast<std::int64_t>(result.back().size() + each.size) > rows)
      result.emplace_back();
    for (std::size_t i = each.first; i < each.first + each.size; ++i) result.back().push_back(samples[i]);
  }
  return result;
}

unit_sizes equal_units(std::size_t samples, std::int64_t unit) {
  const auto size = static_cast<std::size_t>(unit);
  return unit_sizes(samples / size, size);
}

std::vector<std::vector<const sample *>> split_by_length(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t rows) {
  return split_by_length(samples, equal_units(samples.size(), unit), rows);
}

}  // namespace slipstream

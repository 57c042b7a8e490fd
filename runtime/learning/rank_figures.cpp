#include "runtime/learning/rank_figures.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "models/files/cbor.hpp"

namespace slipstream {

std::vector<at::Tensor> rank_figures::by_rank(const std::vector<at::Tensor> &own) const {
  auto mine = own.empty() ? at::empty({0}, at::kDouble) : at::cat(own);
  if (!ranks_) return {mine};
  return ranks_->gather(mine.to(at::kDouble));
}

std::pair<at::Tensor, std::int64_t> rank_figures::in_a_row(const std::vector<at::Tensor> &own) const {
  const auto all = by_rank(own);
  std::int64_t offset = 0;
  for (std::int64_t before = 0; before < rank(); ++before)
    offset += all[static_cast<std::size_t>(before)].numel();
  return {at::cat(all), offset};
}

metric_totals rank_figures::sum(const metric_totals &own) const {
  if (!ranks_) return own;
  auto told = nlohmann::json::object();
  for (const auto &[name, total] : own)
    told[name] = {static_cast<int>(total.kind), total.value, total.weight};
  const auto bytes = nlohmann::json::to_cbor(told);  // keeps every bit, also of what is no number
  metric_totals all;
  for (const auto &text : ranks_->gather(std::string(bytes.begin(), bytes.end()))) {
    const auto theirs = read_cbor(text);
    for (const auto &[name, figures] : theirs.items()) {
      auto &total = all[name];
      total.kind = static_cast<metric_kind>(figures[0].get<int>());
      const double value = figures[1];
      total.value = total.kind == metric_kind::largest ? std::max(total.value, value) : total.value + value;
      total.weight += figures[2].get<double>();
    }
  }
  return all;
}

void rank_figures::transform(const token_transform &change, const objective_options &options,
                             const std::vector<micro_batch *> &own) const {
  const at::NoGradGuard constant;
  std::vector<at::Tensor> figures, masks;
  for (const auto *micro : own) {
    figures.push_back(change.figure(micro->inputs).reshape(-1));
    masks.push_back(micro->inputs.mask.reshape(-1));
  }
  auto [all, offset] = in_a_row(figures);
  const auto mask = in_a_row(masks).first;
  if (all.numel() == 0) return;
  const auto changed = change.change(all, mask, options);
  for (auto *micro : own) {
    const auto &like = micro->inputs.mask;
    change.put(micro->inputs, changed.narrow(0, offset, like.numel()).view_as(like));
    offset += like.numel();
  }
}

}  // namespace slipstream

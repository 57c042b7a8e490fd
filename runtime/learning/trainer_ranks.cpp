// What the ranks of a data-parallel learner do together. Whatever one rank decides by figures of the batch it
// decides by the figures of all, in the order of ranks, so that all decide alike.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "models/error.hpp"
#include "models/files/cbor.hpp"
#include "models/network/place.hpp"
#include "runtime/learning/follower_ranks.hpp"
#include "runtime/learning/sharded_model.hpp"
#include "runtime/learning/shares.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {
namespace {

/// Samples that stay together: a pair is two.
std::int64_t unit_of(input_kind kind) {
  return kind == input_kind::score_pairs || kind == input_kind::preference_pairs ? 2 : 1;
}

}  // namespace

void trainer::on_all_ranks(const rank_task &task, const std::function<void()> &own) {
  if (followers_)
    followers_->together(task, own);
  else
    own();
}

void trainer::resume(adamw_state optimizer, const nlohmann::json &state) {
  on_all_ranks(resume_task{optimizer.step, state}, [&] { own_resume(&optimizer, optimizer.step, state); });
}

void trainer::begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns,
                    const std::map<std::string, std::int64_t> &judges,
                    const std::vector<sample_group_ptr> &demonstrations) {
  on_all_ranks(begin_task{batch, now_ns, judges, demonstrations},
               [&] { own_begin(std::move(batch), now_ns, judges, demonstrations); });
}

void trainer::target(std::shared_ptr<const transformer> policy) {
  on_all_ranks(target_task{policy}, [&] { own_target(policy); });
}

bool trainer::slice() {
  bool more = false;
  on_all_ranks(slice_task{}, [&] { more = own_slice(); });
  return more;
}

trained_version trainer::complete(std::int64_t now_ns) {
  trained_version made;
  on_all_ranks(complete_task{now_ns}, [&] { made = own_complete(now_ns); });
  return made;
}

adamw_state trainer::optimizer() {
  if (options_.zero == 0 || !options_.group) return optimizer_;
  adamw_state whole;
  on_all_ranks(moments_task{}, [&] { whole = own_optimizer(); });
  return whole;
}

void trainer::follow(const rank_task &task) {
  const auto act = [this](const auto &each) {
    using kind = std::decay_t<decltype(each)>;
    if constexpr (std::is_same_v<kind, resume_task>)
      own_resume(nullptr, each.step, each.state);
    else if constexpr (std::is_same_v<kind, begin_task>)
      own_begin(each.batch, each.now_ns, each.judges, each.demonstrations);
    else if constexpr (std::is_same_v<kind, target_task>)
      own_target(each.policy);
    else if constexpr (std::is_same_v<kind, slice_task>)
      own_slice();
    else if constexpr (std::is_same_v<kind, complete_task>)
      own_complete(each.now_ns);
    else if constexpr (std::is_same_v<kind, moments_task>)
      own_optimizer();
  };
  std::visit(act, task);
}

void trainer::own_target(const std::shared_ptr<const transformer> &policy) {
  target_ = placed(policy, target_parts_);
}

/// Another model to compute with, of which this rank keeps a part where it does of its own.
std::shared_ptr<const transformer> trainer::placed(const std::shared_ptr<const transformer> &given,
                                                   std::shared_ptr<sharded_model> &parts) const {
  const auto device = parameters_.device().str();
  if (!parts_) return place(given, device, given->mode());
  parts = std::make_shared<sharded_model>(options_.group, *given, device, false);
  return std::make_shared<const transformer>(parts->network());
}

/// With zero = 3: keeps this rank's part of everything that is as large as the model.
void trainer::share_parameters(const transformer &initial) {
  const auto device = options_.device.empty() ? initial.flat().device().str() : options_.device;
  parts_ = std::make_shared<sharded_model>(options_.group, initial, device, true);
  if (options_.group->rank() == 0) whole_ = std::make_shared<const transformer>(initial);
  model_ = parts_->network();
  parameters_ = parts_->parameters();
  gradient_ = parts_->gradient();
  decays_ = parts_->part_of(decays_).to(parameters_.device());
  if (!options_.reference) return;
  if (whole_) whole_reference_ = options_.reference;
  options_.reference = placed(options_.reference, reference_parts_);
}

double trainer::norm_of_all() const {
  const double own = gradient_norm(gradient_);
  if (!parts_) return own;
  double squares = 0;
  for (const auto &each : of_ranks({at::full({1}, own, at::kDouble)})) {
    const auto norm = each.item<double>();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

std::pair<std::int64_t, std::int64_t> trainer::shard_of(std::int64_t rank) const {
  const auto all = parameters_.numel();
  if (options_.zero != 1) return {0, all};
  const auto first = all * rank / ranks();
  return {first, all * (rank + 1) / ranks() - first};
}

/// Only rank 0 gets the whole; no other rank holds more than two shards at a time.
adamw_state trainer::own_optimizer() {
  const at::NoGradGuard constant;
  const auto own = options_.group->rank();
  adamw_state whole;
  if (own == 0) {
    const auto &all = parts_ ? whole_->flat() : parameters_;
    whole = {at::empty_like(all), at::empty_like(all), optimizer_.step};
  }
  if (parts_) {
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      parts_->collect(optimizer_.*member, whole.*member);
    return whole;
  }
  for (const auto member : {&adamw_state::m, &adamw_state::v})
    for (std::int64_t rank = 0; rank < ranks(); ++rank) {
      const auto [first, count] = shard_of(rank);
      const auto part = rank == own ? optimizer_.*member : at::empty({count}, parameters_.options());
      options_.group->start_broadcast(part, rank);
      options_.group->wait();
      if (own == 0) (whole.*member).narrow(0, first, count).copy_(part);
    }
  return whole;
}

/// Cuts samples into shares by tokens, and each share into micro-batches: this rank's own become tensors, of
/// all are counted the tokens of each slice and what the loss is divided by.
void trainer::share_out(const std::vector<const sample *> &samples, const objective_row &row,
                        std::vector<micro_batch> &own, std::vector<std::int64_t> &tokens,
                        denominators &totals) const {
  const auto pad = std::max<std::int64_t>(model_.spec().pad_token, 0);
  const auto unit = unit_of(row.kind);
  const auto mine = options_.group ? static_cast<std::size_t>(options_.group->rank()) : 0;
  const auto shares = share_by_tokens(samples, unit, ranks());
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    const auto parts = split_by_length(shares[rank], unit, options_.micro_batch);
    tokens.resize(std::max(tokens.size(), parts.size()));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (const auto *entry : parts[i]) tokens[i] += static_cast<std::int64_t>(entry->tokens.size());
      totals += count_samples(row, parts[i]);
      if (rank != mine) continue;
      own.push_back(collate(parts[i], pad, parameters_.device()));
      own.back().inputs.age = token_ages(parts[i], version_, own.back().inputs.mask);
    }
  }
}

/// This rank's part of moments that rank 0 has read; the others get theirs from it, so that no file and no
/// message need hold them. Like own_optimizer(), nobody but rank 0 holds more than two shards.
adamw_state trainer::shard_from_first(const adamw_state *whole) const {
  const at::NoGradGuard constant;
  const auto own = options_.group ? options_.group->rank() : 0;
  if (own == 0 && !whole) throw run_error("rank 0 goes on without the moments of its optimizer");
  adamw_state kept;
  if (parts_) {
    kept = fresh_adamw(parameters_);
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      parts_->deal(whole ? whole->*member : at::Tensor(), kept.*member);
    return kept;
  }
  const auto shards = options_.zero == 1 ? ranks() : 1;
  for (const auto member : {&adamw_state::m, &adamw_state::v})
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const auto [first, count] = shard_of(shard);
      const auto part = own == 0
                            ? (whole->*member).narrow(0, first, count).to(parameters_.options(), false, true)
                            : at::empty({count}, parameters_.options());
      if (options_.group) {
        options_.group->start_broadcast(part, 0);
        options_.group->wait();
      }
      if (shards == 1 || shard == own) kept.*member = part;
    }
  return kept;
}

/// A step of the optimizer on this rank's part of the parameters; then every rank gets the other parts.
void trainer::step_shard(double scale) {
  const auto [first, count] = shard_of(options_.group ? options_.group->rank() : 0);
  const auto part = [first = first, count = count](const at::Tensor &flat) {
    return flat.narrow(0, first, count);
  };
  adamw_step(part(parameters_), part(gradient_), optimizer_, options_.optimizer, rate_, scale, part(decays_));
  if (options_.zero != 1 || !options_.group) return;
  for (std::int64_t rank = 0; rank < ranks(); ++rank) {
    const auto [begin, size] = shard_of(rank);
    options_.group->start_broadcast(parameters_.narrow(0, begin, size), rank);
  }
  options_.group->wait();
}

/// The numbers of all ranks' tensors, each rank's flat and in a row; in float64 where there are several
/// ranks.
std::vector<at::Tensor> trainer::of_ranks(const std::vector<at::Tensor> &own) const {
  auto mine = own.empty() ? at::empty({0}, at::kDouble) : at::cat(own);
  if (!options_.group) return {mine};
  return options_.group->gather(mine.to(at::kDouble));
}

/// The same in a row, and where this rank's begin.
std::pair<at::Tensor, std::int64_t> trainer::in_all(const std::vector<at::Tensor> &own) const {
  const auto by_rank = of_ranks(own);
  std::int64_t offset = 0;
  for (std::int64_t rank = 0; options_.group && rank < options_.group->rank(); ++rank)
    offset += by_rank[static_cast<std::size_t>(rank)].numel();
  return {at::cat(by_rank), offset};
}

metric_totals trainer::all_metrics(const metric_totals &given) const {
  if (!options_.group) return given;
  auto own = nlohmann::json::object();
  for (const auto &[name, total] : given)
    own[name] = {static_cast<int>(total.kind), total.value, total.weight};
  const auto bytes = nlohmann::json::to_cbor(own);  // keeps every bit, also of what is no number
  metric_totals all;
  for (const auto &text : options_.group->gather(std::string(bytes.begin(), bytes.end()))) {
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

}  // namespace slipstream

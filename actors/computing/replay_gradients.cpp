#include "actors/computing/replay_gradients.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "runtime/learning/gradient_comparison.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr const char *columns[] = {"staleness_mean", "cosine",   "cosine_fresh",  "norm",
                                   "fresh_norm",     "variance", "fresh_variance"};

std::shared_ptr<const transformer> frozen(const transformer &model) {
  const at::NoGradGuard no_gradients;
  return std::make_shared<const transformer>(model.with_trainable(model.trainable().detach().clone()));
}

json mean_of(const json &batches) {
  json means = json::object();
  for (const char *name : columns) {
    double sum = 0;
    std::int64_t count = 0;
    for (const auto &batch : batches) {
      if (!batch[name].is_number()) continue;
      sum += batch[name].get<double>();
      ++count;
    }
    means[name] = count > 0 ? json(sum / static_cast<double>(count)) : json();
  }
  return means;
}

std::string row(const std::string &head, const json &figures) {
  std::string text = fmt::format("{:>6}", head);
  for (const char *name : columns)
    text += figures[name].is_number() ? fmt::format("  {:>14.4g}", figures[name].get<double>())
                                      : fmt::format("  {:>14}", "-");
  return text + "\n";
}

}  // namespace

void gradient_study::read(const journal_record &record) {
  if (const auto *drawn = std::get_if<prompt_drawn>(&record.event)) rows_[drawn->id] = drawn->row;
}

void gradient_study::meets(trainer &core, const std::vector<sample_group_ptr> &batch) {
  if (core.version() % every_ != 0) return;
  const auto weights = frozen(core.model());
  const auto figures = compare_gradients(core, batch, repeats_, [&](std::int64_t repeat) {
    return fresh_.draw(batch, rows_, weights, core.version(), repeat);
  });
  batches_.push_back(to_json(figures));
  batches_.back()["update"] = core.version() + 1;
}

json gradient_study::result() const {
  return {{"batches", batches_}, {"mean", mean_of(batches_)}, {"repeats", repeats_}};
}

std::string gradient_table(const json &result) {
  std::string text = fmt::format("{:>6}", "update");
  for (const char *name : columns) text += fmt::format("  {:>14}", name);
  text += "\n";
  for (const auto &batch : result["batches"])
    text += row(std::to_string(batch["update"].get<std::int64_t>()), batch);
  return text + row("mean", result["mean"]);
}

}  // namespace slipstream

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "models/network/batch.hpp"
#include "runtime/evaluation/evaluation.hpp"
#include "runtime/evaluation/figures.hpp"
#include "runtime/learning/collate.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t samples_a_slice = 32;

/// One forward pass a slice, over sequences of about equal length.
/// Pairs often share their answers: a sequence that occurs again is not computed again.
class line_evaluation : public evaluation {
 public:
  line_evaluation(std::shared_ptr<const transformer> model, std::vector<sample> lines, example_form form)
      : model_(std::move(model)), lines_(std::move(lines)), form_(form), first_(lines_.size()) {
    std::vector<const sample *> distinct;
    std::map<std::vector<std::int64_t>, std::size_t> seen;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto [found, fresh] = seen.emplace(lines_[i].tokens, i);
      first_[i] = found->second;
      if (fresh) distinct.push_back(&lines_[i]);
    }
    values_.resize(lines_.size());
    parts_ = split_by_length(distinct, 1, samples_a_slice);
  }

  bool step() override {
    if (done_ == parts_.size()) return false;
    const at::NoGradGuard no_gradients;
    const auto &part = parts_[done_++];
    const auto batch =
        collate(part, std::max<std::int64_t>(model_->spec().pad_token, 0), model_->flat().device());
    const auto values =
        form_ == example_form::demonstration ? losses(batch) : batch_scores(*model_, batch.tokens);
    const auto read = values.to(at::kCPU, at::kDouble).contiguous();
    for (std::size_t i = 0; i < part.size(); ++i)
      values_[static_cast<std::size_t>(part[i] - lines_.data())] = read.data_ptr<double>()[i];
    if (done_ < parts_.size()) return true;
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = values_[first_[i]];
    return false;
  }

  nlohmann::json result() const override {
    switch (form_) {
      case example_form::pair:
        return pair_figures();
      case example_form::rated:
        return rating_figures();
      case example_form::labelled:
        return label_figures();
      case example_form::ranking:
        return ranking_figures();
      default:
        return loss_figures();
    }
  }

 private:
  at::Tensor losses(const micro_batch &batch) const {
    const auto scores = batch_logprobs(*model_, batch.tokens, 1.0);
    return -(scores.logprobs * batch.inputs.mask).sum(1);
  }

  nlohmann::json loss_figures() const {
    double loss = 0, tokens = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      loss += values_[i];
      if (lines_[i].trained.empty())
        tokens += static_cast<double>(lines_[i].tokens.size()) - static_cast<double>(lines_[i].prompt_length);
      else
        tokens += static_cast<double>(std::count(lines_[i].trained.begin(), lines_[i].trained.end(), 1));
    }
    return {{"loss", loss / tokens}, {"perplexity", std::exp(loss / tokens)}, {"lines", lines_.size()}};
  }

  nlohmann::json rating_figures() const {
    std::vector<double> ratings;
    double squares = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      ratings.push_back(lines_[i].score);
      squares += (values_[i] - ratings[i]) * (values_[i] - ratings[i]);
    }
    return {{"pearson", pearson(values_, ratings)},
            {"spearman", spearman(values_, ratings)},
            {"mse", squares / static_cast<double>(lines_.size())},
            {"lines", lines_.size()}};
  }

  /// A label is told right when the score as a logit has its sign.
  nlohmann::json label_figures() const {
    double right = 0, loss = 0;
    const auto count = static_cast<double>(lines_.size());
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const bool good = lines_[i].score > 0.5;
      const double for_label = good ? values_[i] : -values_[i];
      right += (values_[i] > 0) == good ? 1 : 0;
      loss += std::max(-for_label, 0.0) + std::log1p(std::exp(-std::abs(for_label)));
    }
    return {{"accuracy_labels", right / count}, {"cross_entropy", loss / count}, {"lines", lines_.size()}};
  }

  /// Of each ranking every pair counts.
  nlohmann::json ranking_figures() const {
    double right = 0, pairs = 0;
    std::size_t lists = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      lists += lines_[i].score == 1 ? 1 : 0;
      for (auto j = i + 1; j < lines_.size() && lines_[j].score > 1; ++j, ++pairs)
        right += values_[i] > values_[j] ? 1 : 0;
    }
    return {{"accuracy_pairs", right / pairs}, {"rankings", lists}};
  }

  /// Ties have no right order: they are counted apart.
  nlohmann::json pair_figures() const {
    double right = 0, margins = 0, pairs = 0;
    std::size_t ties = 0;
    for (std::size_t i = 0; i < lines_.size(); i += 2) {
      if (lines_[i].score == lines_[i + 1].score) {
        ++ties;
        continue;
      }
      ++pairs;
      right += values_[i] > values_[i + 1] ? 1 : 0;
      margins += values_[i] - values_[i + 1];
    }
    const double counted = std::max(pairs, 1.0);
    nlohmann::json figures = {{"accuracy_pairs", right / counted},
                              {"margin_mean", margins / counted},
                              {"pairs", static_cast<std::size_t>(pairs)}};
    if (ties > 0) figures["ties"] = ties;
    return figures;
  }

  std::shared_ptr<const transformer> model_;
  std::vector<sample> lines_;
  example_form form_;
  std::vector<std::vector<const sample *>> parts_;
  std::vector<std::size_t> first_;  ///< of the lines with the same tokens
  std::vector<double> values_;      ///< a line's score, or its loss in nats
  std::size_t done_ = 0;
};

}  // namespace

std::unique_ptr<evaluation> evaluate_lines(std::shared_ptr<const transformer> model,
                                           std::vector<sample> lines, example_form form) {
  return std::make_unique<line_evaluation>(std::move(model), std::move(lines), form);
}

}  // namespace slipstream

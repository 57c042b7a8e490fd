#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/network/group_forward.hpp"
#include "runtime/evaluation/figures.hpp"
#include "runtime/evaluation/generation.hpp"

namespace slipstream {
namespace {

class answer_evaluation : public evaluation {
 public:
  answer_evaluation(std::shared_ptr<const transformer> model, std::shared_ptr<const transformer> reward_model,
                    std::shared_ptr<const tokenizer> text, const held_out_options &options)
      : reward_model_(std::move(reward_model)),
        text_(std::move(text)),
        options_(options),
        answers_(std::move(model), text_, options_, false) {}

  bool step() override {
    if (decoding_) {
      decoding_ = answers_.step();
      return true;
    }
    if (row_ == options_.rows.size()) return false;
    score_row(row_++);
    return row_ < options_.rows.size();
  }

  nlohmann::json result() const override {
    const auto count = static_cast<double>(texts_.size());
    const auto mean = rewards_ / count;
    return {{"reward_mean", mean},
            {"reward_std", std::sqrt(std::max(squares_ / count - mean * mean, 0.0))},
            {"distinct_1", distinct_ngrams(texts_, 1)},
            {"distinct_2", distinct_ngrams(texts_, 2)},
            {"distinct_answers", distinct_texts(texts_)},
            {"length_mean", tokens_ / count},
            {"truncated", cut_ / count},
            {"answers", shown_},
            {"prompts", options_.rows.size()},
            {"samples", options_.samples}};
  }

 private:
  void score_row(std::size_t row) {
    const auto &answers = answers_.answers(row);
    const auto scores = answer_scores(*reward_model_, answers_.prompt(row), answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      texts_.push_back(text_->decode(answers[i].tokens));
      rewards_ += scores[i];
      squares_ += scores[i] * scores[i];
      tokens_ += static_cast<double>(answers[i].tokens.size());
      cut_ += answers[i].reason == finish_reason::length ? 1 : 0;
      if (static_cast<std::int64_t>(shown_.size()) < options_.show)
        shown_.push_back(
            {{"prompt", options_.rows[row].prompt}, {"answer", texts_.back()}, {"reward", scores[i]}});
    }
  }

  std::shared_ptr<const transformer> reward_model_;
  std::shared_ptr<const tokenizer> text_;
  held_out_options options_;
  held_out_answers answers_;
  bool decoding_ = true;
  std::size_t row_ = 0;
  std::vector<std::string> texts_;
  nlohmann::json shown_ = nlohmann::json::array();
  double rewards_ = 0, squares_ = 0, tokens_ = 0, cut_ = 0;
};

}  // namespace

std::unique_ptr<evaluation> evaluate_answers(std::shared_ptr<const transformer> model,
                                             std::shared_ptr<const transformer> reward_model,
                                             std::shared_ptr<const tokenizer> text,
                                             const held_out_options &options) {
  return std::make_unique<answer_evaluation>(std::move(model), std::move(reward_model), std::move(text),
                                             options);
}

}  // namespace slipstream

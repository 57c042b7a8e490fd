#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/network/group_forward.hpp"
#include "runtime/evaluation/generation.hpp"

namespace slipstream {
namespace {

class pair_evaluation : public evaluation {
 public:
  pair_evaluation(std::shared_ptr<const transformer> reward_model,
                  std::shared_ptr<const transformer> generator, std::shared_ptr<const tokenizer> text,
                  const held_out_options &options)
      : reward_model_(std::move(reward_model)),
        text_(std::move(text)),
        options_(options),
        answers_(std::move(generator), text_, options_, false) {}

  bool step() override {
    if (decoding_) {
      decoding_ = answers_.step();
      return true;
    }
    if (row_ == options_.rows.size()) return false;
    rate(row_++);
    return row_ < options_.rows.size();
  }

  nlohmann::json result() const override {
    const auto count = static_cast<double>(pairs_);
    return {{"accuracy_pairs", pairs_ > 0 ? static_cast<double>(right_) / count : 0.0},
            {"margin_mean", pairs_ > 0 ? margins_ / count : 0.0},
            {"pairs", pairs_}};
  }

 private:
  void rate(std::size_t row) {
    const auto &answers = answers_.answers(row);
    std::vector<double> ratings;
    for (const auto &answer : answers)
      ratings.push_back(options_.rule(text_->decode(answer.tokens), options_.rows[row].answer));
    const auto [worst, best] = std::minmax_element(ratings.begin(), ratings.end());
    if (*worst == *best) return;
    const auto pick = [&](auto which) { return answers[static_cast<std::size_t>(which - ratings.begin())]; };
    const auto scores = answer_scores(*reward_model_, answers_.prompt(row), {pick(best), pick(worst)});
    ++pairs_;
    right_ += scores[0] > scores[1] ? 1 : 0;
    margins_ += scores[0] - scores[1];
  }

  std::shared_ptr<const transformer> reward_model_;
  std::shared_ptr<const tokenizer> text_;
  held_out_options options_;
  held_out_answers answers_;
  bool decoding_ = true;
  std::size_t row_ = 0;
  std::int64_t pairs_ = 0, right_ = 0;
  double margins_ = 0;
};

}  // namespace

std::unique_ptr<evaluation> evaluate_pairs(std::shared_ptr<const transformer> reward_model,
                                           std::shared_ptr<const transformer> generator,
                                           std::shared_ptr<const tokenizer> text,
                                           const held_out_options &options) {
  return std::make_unique<pair_evaluation>(std::move(reward_model), std::move(generator), std::move(text),
                                           options);
}

}  // namespace slipstream

#include "runtime/evaluation/generation.hpp"

#include <nlohmann/json.hpp>

namespace slipstream {

held_out_answers::held_out_answers(std::shared_ptr<const transformer> model,
                                   const std::shared_ptr<const tokenizer> &text,
                                   const held_out_options &options, bool greedy)
    : decoder_(engine_options{.slots = options.slots}) {
  decoder_.set_weights(std::move(model), 0);
  for (const auto &row : options.rows) {
    prompts_.push_back(prompt_tokens(row, {text, options.chat}));
    generation_request request;
    request.id = prompts_.size() - 1;
    request.prompt = prompts_.back();
    request.samples = greedy ? 1 : options.samples;
    request.max_new_tokens = options.max_new_tokens;
    request.sampling.temperature = greedy ? 0.0 : 1.0;
    request.seed = options.seed;
    decoder_.submit(std::move(request));
  }
}

bool held_out_answers::step() {
  for (auto &done : decoder_.step()) finished_[done.id] = std::move(done.samples);
  return decoder_.running() + decoder_.queued() > 0;
}

namespace {

class generation_evaluation : public evaluation {
 public:
  generation_evaluation(std::shared_ptr<const transformer> model, std::shared_ptr<const tokenizer> text,
                        const held_out_options &options)
      : text_(std::move(text)),
        options_(options),
        greedy_(model, text_, options_, true),
        sampled_(std::move(model), text_, options_, false) {}

  bool step() override { return greedy_.step() || sampled_.step(); }

  nlohmann::json result() const override {
    const auto greedy = figures(greedy_);
    const auto sampled = figures(sampled_);
    return {{"accuracy_greedy", greedy.score}, {"accuracy_sampled", sampled.score},
            {"length_mean", sampled.length},   {"truncated", sampled.truncated},
            {"prompts", options_.rows.size()}, {"samples", options_.samples}};
  }

 private:
  struct means {
    double score = 0, length = 0, truncated = 0;
  };

  means figures(const held_out_answers &all) const {
    means sums;
    double count = 0;
    for (std::size_t row = 0; row < options_.rows.size(); ++row) {
      for (const auto &answer : all.answers(row)) {
        sums.score += options_.rule(text_->decode(answer.tokens), options_.rows[row].answer);
        sums.length += static_cast<double>(answer.tokens.size());
        sums.truncated += answer.reason == finish_reason::length ? 1.0 : 0.0;
        ++count;
      }
    }
    return {sums.score / count, sums.length / count, sums.truncated / count};
  }

  std::shared_ptr<const tokenizer> text_;
  held_out_options options_;
  held_out_answers greedy_;
  held_out_answers sampled_;
};

}  // namespace

std::unique_ptr<evaluation> evaluate_generation(std::shared_ptr<const transformer> model,
                                                std::shared_ptr<const tokenizer> text,
                                                const held_out_options &options) {
  return std::make_unique<generation_evaluation>(std::move(model), std::move(text), options);
}

}  // namespace slipstream

#pragma once

#include <map>
#include <vector>

#include "models/engine/engine.hpp"
#include "runtime/evaluation/evaluation.hpp"

namespace slipstream {

/// Answers to held-out prompts, decoded in slices.
class held_out_answers {
 public:
  /// `greedy`: one greedy answer a prompt; otherwise `options.samples` sampled ones.
  held_out_answers(std::shared_ptr<const transformer> model, const std::shared_ptr<const tokenizer> &text,
                   const held_out_options &options, bool greedy);
  bool step();
  const std::vector<generation> &answers(std::size_t row) const { return finished_.at(row); }
  const std::vector<std::int64_t> &prompt(std::size_t row) const { return prompts_.at(row); }

 private:
  engine decoder_;
  std::vector<std::vector<std::int64_t>> prompts_;
  std::map<std::size_t, std::vector<generation>> finished_;
};

}  // namespace slipstream

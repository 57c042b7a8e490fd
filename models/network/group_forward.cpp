#include "models/network/group_forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/network/batch.hpp"

namespace slipstream {
namespace {

token_batch join(const transformer &model, const std::vector<std::int64_t> &prompt,
                 const std::vector<generation> &answers) {
  std::vector<std::vector<std::int64_t>> rows;
  for (const auto &answer : answers) {
    rows.push_back(prompt);
    rows.back().insert(rows.back().end(), answer.tokens.begin(), answer.tokens.end());
  }
  auto batch = pad_tokens(rows, std::max<std::int64_t>(model.spec().pad_token, 0));
  const auto device = model.flat().device();
  return {batch.ids.to(device), batch.lengths.to(device)};
}

}  // namespace

std::vector<double> answer_scores(const transformer &model, const std::vector<std::int64_t> &prompt,
                                  const std::vector<generation> &answers) {
  const at::NoGradGuard no_gradients;
  const auto scores =
      batch_scores(model, join(model, prompt, answers)).to(at::kCPU, at::kDouble).contiguous();
  return {scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel()};
}

std::vector<std::vector<float>> answer_logprobs(const transformer &model,
                                                const std::vector<std::int64_t> &prompt,
                                                const std::vector<generation> &answers, double temperature) {
  const at::NoGradGuard no_gradients;
  const auto all = batch_logprobs(model, join(model, prompt, answers), temperature, false)
                       .logprobs.to(at::kCPU, at::kFloat)
                       .contiguous();
  std::vector<std::vector<float>> result;
  for (std::size_t row = 0; row < answers.size(); ++row) {
    const auto *first = all.data_ptr<float>() + static_cast<std::int64_t>(row) * all.size(1) +
                        static_cast<std::int64_t>(prompt.size());
    result.emplace_back(first, first + answers[row].tokens.size());
  }
  return result;
}

}  // namespace slipstream

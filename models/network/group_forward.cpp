#include "models/network/group_forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "models/network/batch.hpp"
#include "models/network/operations.hpp"
#include "models/network/sequence_blocks.hpp"

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
  for (const auto &answer : answers) batch.kept.push_back(answer.kept);
  return {batch.ids.to(device), batch.lengths.to(device), std::move(batch.kept)};
}

// The rows are the prompt's, once, and then each answer's; an answer's queries see the prompt and their own
// answer.
class shared_prompt : public attention {
 public:
  shared_prompt(std::int64_t prompt, const std::vector<generation> &answers) : runs_{{0, prompt, {}}} {
    std::int64_t row = prompt;
    for (const generation &answer : answers) {
      const auto count = static_cast<std::int64_t>(answer.tokens.size());
      runs_.push_back({row, count, {0, prompt}});
      row += count;
    }
  }

  at::Tensor attend(std::int64_t, std::int64_t window, const at::Tensor &queries, const at::Tensor &keys,
                    const at::Tensor &values) override {
    const at::Tensor q = queries.contiguous(), k = keys.contiguous(), v = values.contiguous();
    at::Tensor out = at::empty_like(q);
    attend_runs(
        {q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), q.size(1), k.size(1), q.size(2)},
        runs_, window, out.data_ptr<float>());
    return out;
  }

 private:
  std::vector<attended_run> runs_;
};

bool shares_prompt(const transformer &model, const std::vector<std::int64_t> &prompt) {
  return !prompt.empty() && ops::own_kernels(model.flat(), model.mode());
}

at::Tensor shared_hidden(const transformer &model, const std::vector<std::int64_t> &prompt,
                         const std::vector<generation> &answers) {
  std::vector<std::int64_t> ids = prompt, positions;
  for (std::size_t t = 0; t < prompt.size(); ++t) positions.push_back(static_cast<std::int64_t>(t));
  for (const auto &answer : answers) {
    ids.insert(ids.end(), answer.tokens.begin(), answer.tokens.end());
    for (std::size_t t = 0; t < answer.tokens.size(); ++t)
      positions.push_back(static_cast<std::int64_t>(prompt.size() + t));
  }
  shared_prompt how(static_cast<std::int64_t>(prompt.size()), answers);
  return model.hidden(at::tensor(ids, at::kLong), at::tensor(positions, at::kLong), how);
}

at::Tensor shared_scores(const transformer &model, const std::vector<std::int64_t> &prompt,
                         const std::vector<generation> &answers) {
  std::vector<std::int64_t> ends;
  auto row = static_cast<std::int64_t>(prompt.size());
  for (const auto &answer : answers)
    ends.push_back((row += static_cast<std::int64_t>(answer.tokens.size())) - 1);
  const at::Tensor hidden = shared_hidden(model, prompt, answers);
  return model.scores(hidden.index_select(0, at::tensor(ends, at::kLong)));
}

// One after another, the hidden state before each of all answers' tokens.
at::Tensor shared_before(const transformer &model, const std::vector<std::int64_t> &prompt,
                         const std::vector<generation> &answers) {
  std::vector<std::int64_t> readers;
  auto row = static_cast<std::int64_t>(prompt.size());
  for (const auto &answer : answers)
    for (std::size_t t = 0; t < answer.tokens.size(); ++t, ++row)
      readers.push_back(t == 0 ? static_cast<std::int64_t>(prompt.size()) - 1 : row - 1);
  return shared_hidden(model, prompt, answers).index_select(0, at::tensor(readers, at::kLong));
}

// One after another, the log-probabilities of all answers' tokens.
at::Tensor shared_logprobs(const transformer &model, const std::vector<std::int64_t> &prompt,
                           const std::vector<generation> &answers, double temperature) {
  std::vector<std::int64_t> ids;
  for (const auto &answer : answers) ids.insert(ids.end(), answer.tokens.begin(), answer.tokens.end());
  kept_rows kept;
  for (const auto &answer : answers) {
    if (answer.kept.empty())
      for (std::size_t t = 0; t < answer.tokens.size(); ++t) kept.add_whole();
    kept.add(answer.kept);
  }
  return model
      .logprobs(shared_before(model, prompt, answers), at::tensor(ids, at::kLong), 1.0 / temperature, kept)
      .logprobs;
}

// Figures of all answers' tokens, one after another (`shared`) or as a padded batch [B,T], as
// [answer][token].
std::vector<std::vector<float>> by_answer(const at::Tensor &figures, bool shared,
                                          const std::vector<std::int64_t> &prompt,
                                          const std::vector<generation> &answers) {
  const at::Tensor all = figures.to(at::kCPU, at::kFloat).contiguous();
  std::vector<std::vector<float>> result;
  const float *next = all.data_ptr<float>();
  for (std::size_t row = 0; row < answers.size(); ++row) {
    const std::size_t count = answers[row].tokens.size();
    const float *first = shared ? next
                                : all.data_ptr<float>() + static_cast<std::int64_t>(row) * all.size(1) +
                                      static_cast<std::int64_t>(prompt.size());
    result.emplace_back(first, first + count);
    next += count;
  }
  return result;
}

}  // namespace

std::vector<double> answer_scores(const transformer &model, const std::vector<std::int64_t> &prompt,
                                  const std::vector<generation> &answers) {
  const at::NoGradGuard no_gradients;
  const at::Tensor own = shares_prompt(model, prompt) ? shared_scores(model, prompt, answers)
                                                      : batch_scores(model, join(model, prompt, answers));
  const at::Tensor scores = own.to(at::kCPU, at::kDouble).contiguous();
  return {scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel()};
}

std::vector<std::vector<float>> answer_values(const transformer &model,
                                              const std::vector<std::int64_t> &prompt,
                                              const std::vector<generation> &answers) {
  const at::NoGradGuard no_gradients;
  const bool shared = shares_prompt(model, prompt);
  return by_answer(shared ? model.scores(shared_before(model, prompt, answers))
                          : batch_values(model, join(model, prompt, answers)),
                   shared, prompt, answers);
}

std::vector<std::vector<float>> answer_logprobs(const transformer &model,
                                                const std::vector<std::int64_t> &prompt,
                                                const std::vector<generation> &answers, double temperature) {
  const at::NoGradGuard no_gradients;
  const bool shared = shares_prompt(model, prompt);
  return by_answer(shared ? shared_logprobs(model, prompt, answers, temperature)
                          : batch_logprobs(model, join(model, prompt, answers), temperature).logprobs,
                   shared, prompt, answers);
}

}  // namespace slipstream

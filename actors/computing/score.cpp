#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "actors/commands/arguments.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/json.hpp"
#include "models/network/batch.hpp"
#include "models/network/place.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/output.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

/// One line of the input: the tokens, of which the first `given` are the prompt and get no log-probability.
struct scored_line {
  std::vector<std::int64_t> tokens;
  std::size_t given = 0;
};

class line_reader {
 public:
  line_reader(const checkpoint &model, std::string place) : model_(model), place_(std::move(place)) {}

  scored_line read(const std::string &text) const {
    const json line = parse_json(text, place_);
    if (!line.is_object() || line.contains("text") == line.contains("ids"))
      fail("each line is an object with either \"text\" or \"ids\", as {\"text\": \"…\"}");
    scored_line result;
    const bool prompted = line.contains("prompt");
    if (prompted) result.tokens = tokens(line["prompt"], "prompt", true);
    result.given = result.tokens.size();
    const char *field = line.contains("text") ? "text" : "ids";
    const std::vector<std::int64_t> own = tokens(line[field], field, !prompted);
    result.tokens.insert(result.tokens.end(), own.begin(), own.end());
    if (model_.spec.labels > 0) finish_for_head(prompted && line.contains("text"), result);
    if (own.empty() || result.tokens.empty()) fail(fmt::format("\"{}\" is empty", field));
    if (static_cast<std::int64_t>(result.tokens.size()) > model_.spec.max_positions)
      fail(fmt::format("{} tokens exceed the model's context of {}", result.tokens.size(),
                       model_.spec.max_positions));
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string &message) const {
    throw input_error(fmt::format("{}: error: {}", place_, message));
  }

  std::vector<std::int64_t> tokens(const json &value, const char *field, bool at_start) const {
    if (value.is_string()) {
      if (!model_.text) fail("the model's folder has no tokenizer.json; give \"ids\" instead of text");
      const std::string text = value.get<std::string>();
      try {
        return at_start ? model_.text->encode_with_special(text) : model_.text->encode(text);
      } catch (const input_error &problem) {
        fail(problem.what());
      }
    }
    std::vector<std::int64_t> ids;
    for (const json &id : value.is_array() ? value : json::array({value})) {
      if (!id.is_number_unsigned() || id >= model_.spec.vocab_size)
        fail(fmt::format("\"{}\" must hold token ids of the vocabulary, from 0 to {}, not {}", field,
                         model_.spec.vocab_size - 1, id.dump()));
      ids.push_back(id.get<std::int64_t>());
    }
    return ids;
  }

  // The score stands at the last token that is no padding; an answer in words is ended as in training.
  void finish_for_head(bool answer, scored_line &line) const {
    const std::int64_t pad = model_.spec.pad_token, eos = model_.spec.eos_token();
    const auto &ends = model_.spec.eos_tokens;  // what a chat template ends an answer with is one of them
    const bool ended =
        !line.tokens.empty() && std::find(ends.begin(), ends.end(), line.tokens.back()) != ends.end();
    if (answer && eos >= 0 && !ended) line.tokens.push_back(eos);
    while (pad >= 0 && pad != eos && line.tokens.size() > 1 && line.tokens.back() == pad)
      line.tokens.pop_back();
  }

  const checkpoint &model_;
  std::string place_;
};

json score_line(const transformer &model, const scored_line &line) {
  const auto all = pad_tokens({line.tokens}, 0);
  const token_batch batch{all.ids.to(model.flat().device()), all.lengths};
  if (model.spec().labels > 0) return {{"score", batch_scores(model, batch)[0].item<double>()}};
  const at::Tensor values = batch_logprobs(model, batch, 1.0).logprobs[0].to(at::kCPU).contiguous();
  json logprobs = json::array();
  double sum = 0;
  for (std::size_t i = line.given; i < line.tokens.size(); ++i) {
    if (i == 0) {
      logprobs.push_back(nullptr);
      continue;
    }
    const float value = values.data_ptr<float>()[i];
    sum += value;
    logprobs.push_back(value);
  }
  return {{"logprobs", logprobs}, {"sum", sum}};
}

}  // namespace

int execute(const score_arguments &arguments) {
  warn_of_blas();
  require_device(arguments.device);
  const auto read = load_checkpoint(arguments.model);
  const numerics mode = arguments.exact ? numerics::exact : numerics::fast;
  const auto model =
      place(std::make_shared<const transformer>(read.network(numerics::fast)), arguments.device, mode);
  const at::NoGradGuard no_gradients;
  std::string text;
  for (std::size_t number = 1; std::getline(std::cin, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const line_reader reader(read, fmt::format("standard input:{}", number));
    fmt::print("{}\n", score_line(*model, reader.read(text)).dump());
    flush_output();
  }
  return 0;
}

}  // namespace slipstream

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/commands/arguments.hpp"
#include "models/engine/engine.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/place.hpp"
#include "runtime/plumbing/blas.hpp"

namespace slipstream {
namespace {

generation_request make_request(const generate_arguments &arguments, const checkpoint &model) {
  generation_request request;
  if (!arguments.ids.empty()) {
    request.prompt = arguments.ids;
    for (const auto id : request.prompt)
      if (id < 0 || id >= model.spec.vocab_size)
        throw input_error("--ids: " + std::to_string(id) +
                          " is no token of the model's vocabulary; ids run from 0 to " +
                          std::to_string(model.spec.vocab_size - 1));
  } else {
    if (!model.text)
      throw input_error(arguments.model.string() +
                        ": there is no tokenizer.json; give --ids instead of --prompt");
    request.prompt = model.text->encode_with_special(arguments.prompt);
  }
  if (request.prompt.empty()) throw input_error("the prompt is empty; give --prompt TEXT or --ids 1,2,3");
  const auto left = model.spec.max_positions - static_cast<std::int64_t>(request.prompt.size());
  request.max_new_tokens =
      arguments.max_new_tokens > 0 ? arguments.max_new_tokens : std::clamp<std::int64_t>(left, 1, 64);
  request.min_new_tokens = arguments.min_new_tokens;
  if (request.min_new_tokens > request.max_new_tokens)
    throw input_error(fmt::format("--min-new-tokens {} is above the {} tokens that may come; lower it",
                                  request.min_new_tokens, request.max_new_tokens));
  request.sampling = {arguments.temperature, arguments.top_k, arguments.top_p, arguments.min_p};
  request.seed = arguments.seed;
  return request;
}

}  // namespace

int execute(const generate_arguments &arguments) {
  warn_of_blas();
  require_device(arguments.device);
  const auto model = load_checkpoint(arguments.model);
  auto request = make_request(arguments, model);
  engine decoder(engine_options{.slots = 1});
  const auto weights = std::make_shared<const transformer>(model.network(numerics::fast));
  decoder.set_weights(place(weights, arguments.device, arguments.exact ? numerics::exact : numerics::fast),
                      0);
  decoder.submit(std::move(request));
  std::vector<finished_request> finished;
  while (finished.empty()) finished = decoder.step();
  const auto &answer = finished.front().samples.front();
  const auto text = model.text ? model.text->decode(answer.tokens) : std::string();
  if (!arguments.json) {
    fmt::print("{}\n", model.text ? text : fmt::format("{}", fmt::join(answer.tokens, " ")));
    return 0;
  }
  const nlohmann::json result = {{"text", text},
                                 {"ids", answer.tokens},
                                 {"logprobs", answer.logprobs},
                                 {"finish_reason", to_string(answer.reason)}};
  fmt::print("{}\n", result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return 0;
}

}  // namespace slipstream

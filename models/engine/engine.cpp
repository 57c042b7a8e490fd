#include "models/engine/engine.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "models/arithmetic/parallel.hpp"
#include "models/engine/forward.hpp"
#include "models/engine/random.hpp"
#include "models/engine/sampling.hpp"
#include "models/engine/scheduler.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

/// A run and the sequences that draw their next token from the logits after it; none: only the keys and
/// values are wanted.
struct work {
  token_run run;
  std::size_t first = 0, count = 1;
};
/// A sequence and the logits that its next token is drawn from.
struct drawing {
  sequence *from;
  std::span<const float> logits;
};
struct work_list {
  engine_weights weights;
  std::vector<work> items;
};

// Appends the token and says whether the answer ends with it.
bool append(generation &answer, const drawn_token &drawn, std::int64_t version, std::int64_t cache_version,
            const generation_request &request, std::span<const std::int64_t> end_tokens) {
  answer.tokens.push_back(drawn.token);
  answer.logprobs.push_back(drawn.logprob);
  answer.versions.push_back(version);
  answer.cache_versions.push_back(cache_version);
  if (!drawn.kept.empty()) answer.kept.append({{std::ssize(drawn.kept)}, drawn.kept});
  const bool stop = std::find(end_tokens.begin(), end_tokens.end(), drawn.token) != end_tokens.end();
  answer.reason = stop ? finish_reason::stop : finish_reason::length;
  return stop || static_cast<std::int64_t>(answer.tokens.size()) == request.max_new_tokens;
}

void draw(sequence &from, std::span<const float> logits, std::int64_t version,
          std::span<const std::int64_t> end_tokens) {
  const generation_request &request = from.owner->request;
  generation &answer = from.answer();
  const bool may_end = static_cast<std::int64_t>(answer.tokens.size()) >= request.min_new_tokens;
  const double u = uniform(request.seed, request.id, static_cast<std::uint32_t>(from.sample),
                           static_cast<std::uint32_t>(from.position + 1));
  const auto forbidden = may_end ? std::span<const std::int64_t>() : end_tokens;
  const drawn_token drawn = draw_token(logits, request.sampling, forbidden, u);
  from.ended = append(answer, drawn, version, from.owner->prompt_version, request, end_tokens);
  from.token = drawn.token;
  ++from.position;
}

// One list for each set of weights in use.
work_list &list_of(std::vector<work_list> &lists, const engine_weights &wanted) {
  const auto list = std::find_if(lists.begin(), lists.end(), [&](const work_list &each) {
    return each.weights.model == wanted.model && each.weights.version == wanted.version;
  });
  return list == lists.end() ? lists.emplace_back(work_list{wanted, {}}) : *list;
}

}  // namespace

struct engine::state {
  engine_options options;
  engine_weights weights;
  std::optional<scheduler> plan;  // from the first weights on
  std::uint64_t decoded = 0, prefilled = 0;
  std::vector<float> logits_room;
  struct rounded_model {
    std::weak_ptr<const transformer> given, rounded;
  };
  std::vector<rounded_model> rounded;  // those in use

  bool keeps() const { return options.on_new_weights == weight_change::finish; }
  const engine_weights &weights_of(const active_request &request) const {
    return request.weights.model ? request.weights : weights;
  }
  void require_fit(const transformer &model) const;
  std::shared_ptr<const transformer> packed(const std::shared_ptr<const transformer> &model);
  void add_prompts(std::vector<work_list> &lists, std::vector<bool> &at_prompt);
  std::vector<work_list> gather();
  void compute(const work_list &list);
};

void engine::state::require_fit(const transformer &model) const {
  const transformer &old = *weights.model;
  if (!(old.spec() == model.spec()) || old.flat().options().device() != model.flat().options().device() ||
      old.flat().scalar_type() != model.flat().scalar_type())
    throw input_error("new weights must have the shape, the device and the type of the old ones");
}

// One object for each model, so that its sequences are computed together.
std::shared_ptr<const transformer> engine::state::packed(const std::shared_ptr<const transformer> &model) {
  if (options.weights == arithmetic::weight_format::float32) {
    model->pack();
    return model;
  }
  std::erase_if(rounded, [](const rounded_model &each) { return each.rounded.expired(); });
  for (const rounded_model &each : rounded)
    if (each.given.lock() == model)
      if (auto known = each.rounded.lock()) return known;
  auto fresh = std::make_shared<const transformer>(model->packed_in(options.weights));
  rounded.push_back({model, fresh});
  return fresh;
}

// The prompts taken in now. `at_prompt` marks the sequences that draw from their logits.
void engine::state::add_prompts(std::vector<work_list> &lists, std::vector<bool> &at_prompt) {
  const auto intakes = plan->take_in(keeps() ? weights : engine_weights{});
  at_prompt.assign(plan->running().size(), false);
  for (const prompt_intake &intake : intakes) {
    active_request &request = *intake.request;
    const engine_weights &used = weights_of(request);
    request.prompt_version = used.version;
    prefilled += static_cast<std::uint64_t>(intake.tokens);
    const std::span ids(request.request.prompt.data(), static_cast<std::size_t>(intake.tokens));
    if (!ids.empty())
      list_of(lists, used).items.push_back({{&request.prompt_pages, 0, ids}, intake.first, intake.count});
    std::fill_n(at_prompt.begin() + static_cast<std::ptrdiff_t>(intake.first), intake.count, true);
  }
}

// Prompts, what sequences lack of tokens that they have, and one token for each of the others.
std::vector<work_list> engine::state::gather() {
  std::vector<work_list> lists;
  std::vector<bool> at_prompt;
  add_prompts(lists, at_prompt);
  std::vector<sequence> &running = plan->running();
  for (std::size_t i = 0; i < running.size(); ++i) {
    sequence &next = running[i];
    if (at_prompt[i]) continue;
    token_run run{&next.pages, next.position, {&next.token, 1}};
    if (next.missing.empty()) {
      plan->cache().make_writable(next.pages, next.position, next.position + 1);
    } else {
      run = {&next.pages, next.position + 1 - std::ssize(next.missing), next.missing};
      prefilled += next.missing.size() - 1;
    }
    list_of(lists, weights_of(*next.owner)).items.push_back({run, i, 1});
  }
  plan->cache().copy_pages();
  return lists;
}

void engine::state::compute(const work_list &list) {
  std::vector<token_run> runs;
  for (const work &item : list.items) runs.push_back(item.run);
  const at::Tensor logits = next_logits(*list.weights.model, plan->cache(), runs, logits_room);
  const auto width = static_cast<std::size_t>(logits.size(1));
  const float *row = logits.data_ptr<float>();
  const std::vector<std::int64_t> &end_tokens = list.weights.model->spec().eos_tokens;
  std::vector<drawing> all;
  for (const work &item : list.items) {
    for (std::size_t i = item.first; i < item.first + item.count; ++i)
      all.push_back({&plan->running()[i], {row, width}});
    row += width;
  }
  arithmetic::share(all.size(), 20.0 * static_cast<double>(all.size() * width), [&](std::size_t i) {
    draw(*all[i].from, all[i].logits, list.weights.version, end_tokens);
    all[i].from->missing.clear();
  });
  decoded += all.size();
}

engine::engine(engine_options options) : state_(std::make_unique<state>()) {
  state_->options = options;
}
engine::~engine() = default;
engine::engine(engine &&) noexcept = default;
engine &engine::operator=(engine &&) noexcept = default;

void engine::set_weights(std::shared_ptr<const transformer> model, std::int64_t version) {
  if (state_->plan) {
    state_->require_fit(*model);
    if (state_->options.on_new_weights == weight_change::recompute) state_->plan->restart();
  } else {
    state_->plan.emplace(state_->options, model->spec(), model->flat().options());
  }
  state_->weights = {state_->packed(model), version};
}

void engine::submit(generation_request request, engine_weights own, std::vector<partial_generation> begun) {
  if (!state_->plan) throw std::logic_error("the engine takes requests once it has weights");
  if (own.model) {
    state_->require_fit(*own.model);
    own.model = state_->packed(own.model);
  }
  state_->plan->submit(std::move(request), std::move(own), std::move(begun));
}

std::vector<finished_request> engine::step() {
  if (!state_->plan) return {};
  const at::NoGradGuard no_gradients;
  for (const work_list &list : state_->gather()) arithmetic::as_team([&] { state_->compute(list); });
  return state_->plan->retire();
}

std::vector<partial_generation> engine::progress(std::uint64_t id,
                                                 const std::vector<std::int64_t> &since) const {
  const active_request *request = state_->plan ? state_->plan->find(id) : nullptr;
  if (!request) return {};
  std::vector<partial_generation> result;
  for (std::size_t i = 0; i < request->samples.size(); ++i) {
    const auto &[answer, ended] = request->samples[i];
    const std::int64_t from = i < since.size() ? since[i] : 0;
    const auto rest = [from](const auto &all) {
      return std::decay_t<decltype(all)>(all.begin() + from, all.end());
    };
    generation part;
    part.tokens = rest(answer.tokens);
    part.logprobs = rest(answer.logprobs);
    part.versions = rest(answer.versions);
    part.cache_versions = rest(answer.cache_versions);
    part.kept = answer.kept.from(static_cast<std::size_t>(from));
    part.reason = answer.reason;
    result.push_back({std::move(part), ended});
  }
  return result;
}

std::int64_t engine::tokens_of(std::uint64_t id) const {
  const active_request *request = state_->plan ? state_->plan->find(id) : nullptr;
  return request ? token_count(request->samples) : 0;
}

finished_request engine::abort(std::uint64_t id) {
  return state_->plan ? state_->plan->abort(id) : finished_request{id, {}};
}

std::int64_t engine::running() const {
  return state_->plan ? static_cast<std::int64_t>(state_->plan->running().size()) : 0;
}
std::int64_t engine::queued() const {
  return state_->plan ? state_->plan->queued() : 0;
}
std::int64_t engine::free_slots() const {
  return std::max<std::int64_t>(0, state_->options.slots - running() - queued());
}
std::uint64_t engine::decoded_tokens() const {
  return state_->decoded;
}
std::uint64_t engine::prefilled_tokens() const {
  return state_->prefilled;
}

}  // namespace slipstream

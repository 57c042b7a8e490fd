#include "models/engine/engine.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "models/engine/forward.hpp"
#include "models/engine/random.hpp"
#include "models/engine/sampling.hpp"
#include "models/engine/scheduler.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

/// A run and the sequences that draw their next token from the logits after it.
struct work {
  token_run run;
  std::size_t first = 0, count = 1;
};
struct work_list {
  engine_weights weights;
  std::vector<work> items;
};

// Appends the token and says whether the answer ends with it.
bool append(generation &answer, const drawn_token &drawn, std::int64_t version,
            const generation_request &request, std::span<const std::int64_t> end_tokens) {
  answer.tokens.push_back(drawn.token);
  answer.logprobs.push_back(drawn.logprob);
  answer.versions.push_back(version);
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
  from.ended = append(answer, drawn, version, request, end_tokens);
  from.token = drawn.token;
  ++from.position;
}

}  // namespace

struct engine::state {
  engine_options options;
  engine_weights weights;
  std::optional<scheduler> plan;  // from the first weights on
  std::uint64_t decoded = 0, prefilled = 0;

  bool keeps() const { return options.on_new_weights == weight_change::finish; }
  const engine_weights &weights_of(const sequence &each) const {
    return keeps() ? each.owner->weights : weights;
  }
  void add(std::vector<work_list> &lists, work item) const;
  std::vector<work_list> gather();
  void compute(const work_list &list);
};

// One list for each set of weights in use.
void engine::state::add(std::vector<work_list> &lists, work item) const {
  const engine_weights &wanted = weights_of(plan->running()[item.first]);
  auto list = std::find_if(lists.begin(), lists.end(),
                           [&](const work_list &each) { return each.weights.model == wanted.model; });
  if (list == lists.end()) list = lists.insert(list, work_list{wanted, {}});
  list->items.push_back(item);
}

// The prompts taken in now, and one token for each of the other running sequences.
std::vector<work_list> engine::state::gather() {
  std::vector<work_list> lists;
  const std::vector<prompt_intake> intakes = plan->take_in(keeps() ? weights : engine_weights{});
  std::vector<sequence> &running = plan->running();
  auto intake = intakes.begin();
  for (std::size_t i = 0; i < running.size();) {
    sequence &next = running[i];
    if (intake != intakes.end() && intake->first == i) {
      const std::vector<std::int64_t> &prompt = next.owner->request.prompt;
      add(lists, {{&next.pages, 0, prompt}, i, intake->count});
      prefilled += prompt.size();
      i += (intake++)->count;
    } else {
      plan->cache().make_writable(next.pages, next.position, next.position + 1);
      add(lists, {{&next.pages, next.position, {&next.token, 1}}, i, 1});
      ++i;
    }
  }
  plan->cache().copy_pages();
  return lists;
}

void engine::state::compute(const work_list &list) {
  std::vector<token_run> runs;
  for (const work &item : list.items) runs.push_back(item.run);
  const at::Tensor logits = next_logits(*list.weights.model, plan->cache(), runs);
  const auto width = static_cast<std::size_t>(logits.size(1));
  const float *row = logits.data_ptr<float>();
  const std::vector<std::int64_t> &end_tokens = list.weights.model->spec().eos_tokens;
  for (const work &item : list.items) {
    for (std::size_t i = item.first; i < item.first + item.count; ++i)
      draw(plan->running()[i], {row, width}, list.weights.version, end_tokens);
    decoded += item.count;
    row += width;
  }
}

engine::engine(engine_options options) : state_(std::make_unique<state>()) {
  state_->options = options;
}
engine::~engine() = default;
engine::engine(engine &&) noexcept = default;
engine &engine::operator=(engine &&) noexcept = default;

void engine::set_weights(std::shared_ptr<const transformer> model, std::int64_t version) {
  if (state_->plan) {
    const transformer &old = *state_->weights.model;
    if (!(old.spec() == model->spec()) || old.flat().options().device() != model->flat().options().device() ||
        old.flat().scalar_type() != model->flat().scalar_type())
      throw input_error("new weights must have the shape, the device and the type of the old ones");
  } else {
    state_->plan.emplace(state_->options, model->spec(), model->flat().options());
  }
  state_->weights = {std::move(model), version};
}

void engine::submit(generation_request request) {
  if (!state_->plan) throw std::logic_error("the engine takes requests once it has weights");
  state_->plan->submit(std::move(request));
}

std::vector<finished_request> engine::step() {
  if (!state_->plan) return {};
  const at::NoGradGuard no_gradients;
  for (const work_list &list : state_->gather()) state_->compute(list);
  return state_->plan->retire();
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

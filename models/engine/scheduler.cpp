#include "models/engine/scheduler.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

// Enough for every slot at full context, and one for the last page of a prompt that waits for more slots.
cache_shape shape_of(const engine_options &options, const model_spec &spec) {
  if (options.slots < 1 || options.page_size < 1 || options.pages < 0)
    throw input_error("the engine needs at least one slot and one token a page, and no negative page count");
  const std::int64_t context = (spec.max_positions + options.page_size - 1) / options.page_size;
  const std::int64_t pages = options.pages > 0 ? options.pages : options.slots * context + 1;
  return {spec.layers, spec.kv_heads, spec.head_dim, options.page_size, pages};
}

[[noreturn]] void refuse(const generation_request &request, const std::string &why) {
  throw input_error("request " + std::to_string(request.id) + ": " + why);
}

void check_prompt(const generation_request &request, const model_spec &spec) {
  if (request.prompt.empty()) refuse(request, "the prompt is empty; give it at least one token");
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  if (length + request.max_new_tokens > spec.max_positions)
    refuse(request, "a prompt of " + std::to_string(length) + " tokens and max_new_tokens " +
                        std::to_string(request.max_new_tokens) + " exceed the model's context of " +
                        std::to_string(spec.max_positions) +
                        " tokens; shorten the prompt or lower max_new_tokens");
  for (const std::int64_t token : request.prompt)
    if (token < 0 || token >= spec.vocab_size)
      refuse(request, "token " + std::to_string(token) + " is not within the vocabulary of " +
                          std::to_string(spec.vocab_size) + "; use the model's own tokenizer");
}

void check_options(const generation_request &request) {
  if (request.samples < 1 || request.max_new_tokens < 1)
    refuse(request, "samples and max_new_tokens must be at least 1");
  const sampling_options &how = request.sampling;
  if (!(how.temperature >= 0.0) || how.top_k < 0 || !(how.top_p > 0.0) ||
      !(how.min_p >= 0.0 && how.min_p <= 1.0))
    refuse(request, "temperature and top_k must not be negative, top_p above 0 and min_p within 0 to 1");
}

}  // namespace

scheduler::scheduler(const engine_options &options, const model_spec &spec, at::TensorOptions tensors)
    : slots_(options.slots), spec_(spec), cache_(shape_of(options, spec), tensors) {}

void scheduler::check(const generation_request &request) const {
  check_options(request);
  check_prompt(request, spec_);
  if (requests_.contains(request.id)) refuse(request, "this id is already in the engine; ids must differ");
  const std::int64_t need = prompt_share(request) + sample_share(request) + (request.samples > 1 ? 1 : 0);
  if (need > cache_.shape().capacity)
    refuse(request, "a prompt of " + std::to_string(request.prompt.size()) + " tokens and max_new_tokens " +
                        std::to_string(request.max_new_tokens) + " need " + std::to_string(need) +
                        " cache pages of " + std::to_string(cache_.shape().page_size) +
                        " tokens, and there are " + std::to_string(cache_.shape().capacity) +
                        "; give the engine more pages or lower max_new_tokens");
}

void scheduler::submit(generation_request request) {
  check(request);
  auto active = std::make_unique<active_request>();
  active->order = submitted_++;
  active->samples.resize(static_cast<std::size_t>(request.samples));
  active->request = std::move(request);
  waiting_.push_back(active.get());
  requests_.emplace(active->request.id, std::move(active));
}

// Pages of the prompt that no sample ever writes into: those before the page of its last token, whose row a
// sample that starts late computes again.
std::int64_t scheduler::prompt_share(const generation_request &request) const {
  return (static_cast<std::int64_t>(request.prompt.size()) - 1) / cache_.shape().page_size;
}

// Pages of a sample's own; the last token it generates is never put in.
std::int64_t scheduler::sample_share(const generation_request &request) const {
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  return cache_.pages_for(length + request.max_new_tokens - 1) - prompt_share(request);
}

std::int64_t scheduler::pages_to_start(const active_request &request, std::int64_t samples) const {
  const std::int64_t own = samples * sample_share(request.request);
  const std::int64_t kept = samples < request.waiting() ? 1 : 0;  // the prompt's own last page
  return own + kept + (request.started == 0 ? prompt_share(request.request) : -1);
}

std::int64_t scheduler::startable(const active_request &request) const {
  std::int64_t samples = std::min(request.waiting(), slots_ - static_cast<std::int64_t>(running_.size()));
  while (samples > 0 && reserved_ + pages_to_start(request, samples) > cache_.shape().capacity) --samples;
  return samples;
}

std::vector<prompt_intake> scheduler::take_in(const engine_weights &kept) {
  std::vector<prompt_intake> intakes;
  while (!waiting_.empty()) {
    active_request &next = *waiting_.front();
    const std::int64_t samples = startable(next);
    if (samples == 0) break;
    const std::size_t first = running_.size();
    if (start(next, samples, kept)) intakes.push_back({first, static_cast<std::size_t>(samples)});
    if (next.waiting() == 0) waiting_.pop_front();
  }
  return intakes;
}

// True when the prompt itself has to be computed.
bool scheduler::start(active_request &request, std::int64_t samples, const engine_weights &kept) {
  reserved_ += pages_to_start(request, samples);
  const bool fresh = request.started == 0;
  const std::int64_t length = request.prompt_length();
  if (fresh) {
    request.weights = kept;
    cache_.make_writable(request.prompt_pages, 0, length);
  }
  for (; samples > 0; --samples) {
    const std::int64_t sample = request.started++;
    block_table pages =
        request.waiting() > 0 ? cache_.share(request.prompt_pages) : std::exchange(request.prompt_pages, {});
    running_.push_back(
        {&request, sample, std::move(pages), request.request.prompt.back(), length - 1, false});
  }
  return fresh;
}

void scheduler::let_go(sequence &ended) {
  active_request &owner = *ended.owner;
  cache_.release(ended.pages);
  reserved_ -= sample_share(owner.request);
  if (++owner.ended == owner.request.samples) reserved_ -= prompt_share(owner.request);
}

// Of a request whose last samples will never start; those that did start have ended.
void scheduler::let_go_of_prompt(active_request &request) {
  std::erase(waiting_, &request);
  if (request.started > 0) reserved_ -= 1 + prompt_share(request.request);
  cache_.release(request.prompt_pages);
}

std::vector<finished_request> scheduler::retire() {
  std::vector<active_request *> complete;
  for (sequence &each : running_) {
    if (!each.ended) continue;
    let_go(each);
    if (each.owner->ended == each.owner->request.samples) complete.push_back(each.owner);
  }
  std::erase_if(running_, [](const sequence &each) { return each.ended; });
  std::sort(complete.begin(), complete.end(), [](auto *a, auto *b) { return a->order < b->order; });
  std::vector<finished_request> finished;
  for (active_request *request : complete) {
    finished.push_back({request->request.id, std::move(request->samples)});
    requests_.erase(finished.back().id);
  }
  return finished;
}

finished_request scheduler::abort(std::uint64_t id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return {id, {}};
  active_request &request = *found->second;
  for (std::int64_t sample = request.started; sample < request.request.samples; ++sample)
    request.samples[static_cast<std::size_t>(sample)].reason = finish_reason::aborted;
  for (sequence &each : running_) {
    if (each.owner != &request) continue;
    each.answer().reason = finish_reason::aborted;
    each.ended = true;
    let_go(each);
  }
  if (request.waiting() > 0) let_go_of_prompt(request);
  std::erase_if(running_, [](const sequence &each) { return each.ended; });
  finished_request result{id, std::move(request.samples)};
  requests_.erase(found);
  return result;
}

std::int64_t scheduler::queued() const {
  std::int64_t count = 0;
  for (const active_request *request : waiting_) count += request->waiting();
  return count;
}

}  // namespace slipstream

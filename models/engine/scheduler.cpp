#include "models/engine/scheduler.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "models/engine/request_check.hpp"
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

std::vector<generation> answers(active_request &request) {
  std::vector<generation> result;
  for (partial_generation &each : request.samples) result.push_back(std::move(each.answer));
  return result;
}

}  // namespace

scheduler::scheduler(const engine_options &options, const model_spec &spec, at::TensorOptions tensors)
    : slots_(options.slots),
      prefill_tokens_(options.prefill_tokens),
      spec_(spec),
      cache_(shape_of(options, spec), tensors) {}

void scheduler::check(const generation_request &request) const {
  check_request(request, spec_);
  if (requests_.contains(request.id))
    refuse_request(request, "this id is already in the engine; ids must differ");
  const std::int64_t need = prompt_share(request) + sample_share(request) + (request.samples > 1 ? 1 : 0);
  if (need > cache_.shape().capacity)
    refuse_request(request, "a prompt of " + std::to_string(request.prompt.size()) +
                                " tokens and max_new_tokens " + std::to_string(request.max_new_tokens) +
                                " need " + std::to_string(need) + " cache pages of " +
                                std::to_string(cache_.shape().page_size) + " tokens, and there are " +
                                std::to_string(cache_.shape().capacity) +
                                "; give the engine more pages or lower max_new_tokens");
}

void scheduler::submit(generation_request request, engine_weights own,
                       std::vector<partial_generation> begun) {
  check(request);
  check_begun(request, begun, spec_);
  auto active = std::make_unique<active_request>();
  active->order = submitted_++;
  active->weights = std::move(own);
  active->samples = std::move(begun);
  active->samples.resize(static_cast<std::size_t>(request.samples));
  active->request = std::move(request);
  for (std::int64_t i = 0; i < active->request.samples; ++i) {
    if (active->samples[static_cast<std::size_t>(i)].ended)
      ++active->ended;
    else
      active->waiting_samples.push_back(i);
  }
  (active->complete() ? ended_before_.push_back(active.get()) : waiting_.push_back(active.get()));
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
  return own + kept + (request.has_prompt ? -1 : prompt_share(request.request));
}

// What has to be computed for a sample besides its prompt and the token that every step computes.
std::int64_t scheduler::tokens_to_start(const active_request &request, std::int64_t sample) const {
  return static_cast<std::int64_t>(request.samples[static_cast<std::size_t>(sample)].answer.tokens.size());
}

// How many samples may start now; adds what has to be computed for them to `tokens`.
std::int64_t scheduler::startable(const active_request &request, std::int64_t &tokens) const {
  std::int64_t samples = std::min(request.waiting(), slots_ - static_cast<std::int64_t>(running_.size()));
  while (samples > 0 && reserved_ + pages_to_start(request, samples) > cache_.shape().capacity) --samples;
  std::int64_t prompt = request.has_prompt ? 0 : request.prompt_length();
  for (std::int64_t i = 0; i < samples; ++i) {
    const auto sample = request.waiting_samples[static_cast<std::size_t>(i)];
    const std::int64_t more = std::exchange(prompt, 0) + tokens_to_start(request, sample);
    if (tokens > 0 && tokens + more > prefill_tokens_) return i;
    tokens += more;
  }
  return samples;
}

std::vector<prompt_intake> scheduler::take_in(const engine_weights &kept) {
  std::vector<prompt_intake> intakes;
  std::int64_t tokens = 0;
  while (!waiting_.empty()) {
    active_request &next = *waiting_.front();
    std::int64_t samples = startable(next, tokens);
    if (samples == 0) break;
    reserved_ += pages_to_start(next, samples);
    const bool fresh = !next.has_prompt;
    if (fresh) intakes.push_back(open_prompt(next, samples, kept));
    for (; samples > 0; --samples) {
      const auto sample = next.waiting_samples.front();
      next.waiting_samples.pop_front();
      start(next, sample, fresh);
    }
    if (next.waiting() == 0) waiting_.pop_front();
  }
  return intakes;
}

// The first `samples` of those that wait start on a prompt that is computed now; those without tokens go
// first and draw from its logits. Where there are none now or later, the samples' own last page need not be
// shared.
prompt_intake scheduler::open_prompt(active_request &request, std::int64_t samples,
                                     const engine_weights &kept) {
  request.has_prompt = true;
  if (!request.weights.model) request.weights = kept;
  const auto begin = request.waiting_samples.begin();
  const auto behind = std::stable_partition(
      begin, begin + samples, [&](std::int64_t sample) { return tokens_to_start(request, sample) == 0; });
  prompt_intake intake{&request, request.prompt_length(), running_.size(),
                       static_cast<std::size_t>(behind - begin)};
  if (intake.count == 0 && samples == request.waiting())
    intake.tokens = prompt_share(request.request) * cache_.shape().page_size;
  cache_.make_writable(request.prompt_pages, 0, intake.tokens);
  fresh_.push_back(&request);
  return intake;
}

void scheduler::start(active_request &request, std::int64_t sample, bool fresh) {
  sequence next;
  next.owner = &request;
  next.sample = sample;
  next.token = request.request.prompt.back();
  next.position = request.prompt_length() - 1;
  if (tokens_to_start(request, sample) > 0)
    start_behind(next, fresh);
  else if (fresh || request.waiting() > 0)
    next.pages = cache_.share(request.prompt_pages);
  else
    next.pages = std::exchange(request.prompt_pages, {});
  running_.push_back(std::move(next));
}

// A sample that has tokens already computes them again. Where its prompt is computed in the same pass it
// shares the pages that nobody else writes and computes the prompt's last ones itself.
void scheduler::start_behind(sequence &next, bool fresh) {
  active_request &request = *next.owner;
  const auto &answer = next.answer().tokens;
  const std::int64_t shared =
      fresh ? prompt_share(request.request) : static_cast<std::int64_t>(request.prompt_pages.size());
  const std::int64_t first = fresh ? shared * cache_.shape().page_size : request.prompt_length();
  const auto begin = request.prompt_pages.begin();
  if (fresh || request.waiting() > 0)
    next.pages = cache_.share({begin, begin + shared});
  else
    next.pages = std::exchange(request.prompt_pages, {});
  next.token = answer.back();
  next.position += static_cast<std::int64_t>(answer.size());
  cache_.make_writable(next.pages, first, next.position + 1);
  next.missing.assign(request.request.prompt.begin() + first, request.request.prompt.end());
  next.missing.insert(next.missing.end(), answer.begin(), answer.end());
}

void scheduler::restart() {
  std::map<active_request *, std::vector<std::int64_t>> back;  // samples that had a slot
  for (sequence &each : running_) {
    if (each.owner->weights.model) continue;
    cache_.release(each.pages);
    reserved_ -= sample_share(each.owner->request);
    back[each.owner].push_back(each.sample);
  }
  std::erase_if(running_, [](const sequence &each) { return !each.owner->weights.model; });
  for (auto &[id, request] : requests_) {
    if (request->weights.model || !request->has_prompt) continue;
    request->has_prompt = false;
    reserved_ -= prompt_share(request->request) + (request->waiting() > 0 ? 1 : 0);
    cache_.release(request->prompt_pages);
    if (request->waiting() == 0) waiting_.push_back(request.get());
    auto &samples = request->waiting_samples;
    const auto &again = back[request.get()];
    samples.insert(samples.begin(), again.begin(), again.end());
  }
  std::sort(waiting_.begin(), waiting_.end(), [](auto *a, auto *b) { return a->order < b->order; });
}

void scheduler::let_go(sequence &ended) {
  active_request &owner = *ended.owner;
  cache_.release(ended.pages);
  owner.samples[static_cast<std::size_t>(ended.sample)].ended = true;
  reserved_ -= sample_share(owner.request);
  ++owner.ended;
  if (owner.complete()) reserved_ -= prompt_share(owner.request);
}

// Of a request whose last samples will never start; those that did start have ended.
void scheduler::let_go_of_prompt(active_request &request) {
  std::erase(waiting_, &request);
  if (request.has_prompt) reserved_ -= 1 + prompt_share(request.request);
  cache_.release(request.prompt_pages);
}

// Samples that started on a prompt as it was computed hold its pages themselves by now.
void scheduler::let_go_of_fresh_prompts() {
  for (active_request *request : fresh_)
    if (request->waiting() == 0) cache_.release(request->prompt_pages);
  fresh_.clear();
}

std::vector<finished_request> scheduler::retire() {
  let_go_of_fresh_prompts();
  std::vector<active_request *> complete = std::exchange(ended_before_, {});
  for (sequence &each : running_) {
    if (!each.ended) continue;
    let_go(each);
    if (each.owner->complete()) complete.push_back(each.owner);
  }
  std::erase_if(running_, [](const sequence &each) { return each.ended; });
  std::sort(complete.begin(), complete.end(), [](auto *a, auto *b) { return a->order < b->order; });
  std::vector<finished_request> finished;
  for (active_request *request : complete) {
    finished.push_back({request->request.id, answers(*request)});
    requests_.erase(finished.back().id);
  }
  return finished;
}

finished_request scheduler::abort(std::uint64_t id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return {id, {}};
  active_request &request = *found->second;
  for (const std::int64_t sample : request.waiting_samples)
    request.samples[static_cast<std::size_t>(sample)].answer.reason = finish_reason::aborted;
  for (sequence &each : running_) {
    if (each.owner != &request) continue;
    each.answer().reason = finish_reason::aborted;
    each.ended = true;
    let_go(each);
  }
  if (request.waiting() > 0) let_go_of_prompt(request);
  std::erase(ended_before_, &request);
  std::erase_if(running_, [](const sequence &each) { return each.ended; });
  finished_request result{id, answers(request)};
  requests_.erase(found);
  return result;
}

const active_request *scheduler::find(std::uint64_t id) const {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : found->second.get();
}

std::int64_t scheduler::queued() const {
  std::int64_t count = 0;
  for (const active_request *request : waiting_) count += request->waiting();
  return count;
}

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "models/engine/engine.hpp"
#include "models/engine/paged_cache.hpp"

namespace slipstream {

/// A request on its way through the engine.
struct active_request {
  generation_request request;
  std::uint64_t order = 0;   ///< of submission
  engine_weights weights;    ///< weights of its own, if it has any
  bool has_prompt = false;   ///< its prompt has been taken into the cache
  block_table prompt_pages;  ///< held from the start of its first sample to the start of its last one
  std::int64_t prompt_version =
      0;  ///< version of the weights that computed the prompt's pages: the oldest in its samples' caches
  std::deque<std::int64_t> waiting_samples;  ///< samples that have not ended and have no slot
  std::int64_t ended = 0;
  std::vector<partial_generation> samples;

  std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_samples.size()); }
  std::int64_t prompt_length() const { return static_cast<std::int64_t>(request.prompt.size()); }
  bool complete() const { return ended == request.samples; }
};

/// One sample that holds a slot. Its next token is drawn from the logits after `token` at `position`. The
/// cache holds all earlier tokens except `missing`.
struct sequence {
  active_request *owner = nullptr;
  std::int64_t sample = 0;
  block_table pages;
  std::int64_t token = 0;
  std::int64_t position = 0;
  std::vector<std::int64_t> missing{};  ///< tokens up to `position` to compute in writable pages; else empty
  bool ended = false;

  generation &answer() const { return owner->samples[static_cast<std::size_t>(sample)].answer; }
};

/// A prompt whose keys and values are not in the cache yet: its first `tokens` are computed now, into its
/// request's pages. running()[first] and the count - 1 after it draw from the logits after them.
struct prompt_intake {
  active_request *request = nullptr;
  std::int64_t tokens = 0;
  std::size_t first = 0, count = 0;
};

/// Assigns slots and pages to sequences, first come, first served. A sequence gets a slot only when as many
/// pages are free as it may need in the worst case, so that a running sequence never lacks a page.
class scheduler {
 public:
  scheduler(const engine_options &options, const model_spec &spec, at::TensorOptions tensors);

  /// Queues a request; throws input_error when it can never run.
  void submit(generation_request request, engine_weights own = {},
              std::vector<partial_generation> begun = {});
  /// Starts the requests that fit, first come, first served. Requests without weights of their own use `kept`
  /// to their end. Later samples of a started request share the pages of its prompt.
  std::vector<prompt_intake> take_in(const engine_weights &kept);
  /// Frees the pages of every sequence that has no weights of its own. Each of these sequences prefills
  /// again: its prompt and the tokens that it has so far.
  void restart();
  /// Frees the slot and the pages of every sequence that has ended, and returns the requests that are
  /// complete.
  std::vector<finished_request> retire();
  finished_request abort(std::uint64_t id);

  /// Null for unknown ids.
  const active_request *find(std::uint64_t id) const;
  std::vector<sequence> &running() { return running_; }
  const std::vector<sequence> &running() const { return running_; }
  std::int64_t queued() const;
  paged_cache &cache() { return cache_; }

 private:
  void check(const generation_request &request) const;
  std::int64_t prompt_share(const generation_request &request) const;
  std::int64_t sample_share(const generation_request &request) const;
  std::int64_t pages_to_start(const active_request &request, std::int64_t samples) const;
  std::int64_t tokens_to_start(const active_request &request, std::int64_t sample) const;
  std::int64_t startable(const active_request &request, std::int64_t &tokens) const;
  prompt_intake open_prompt(active_request &request, std::int64_t samples, const engine_weights &kept);
  void start(active_request &request, std::int64_t sample, bool fresh);
  void start_behind(sequence &next, bool fresh);
  void let_go(sequence &ended);
  void let_go_of_prompt(active_request &request);
  void let_go_of_fresh_prompts();

  std::int64_t slots_, prefill_tokens_;
  model_spec spec_;
  paged_cache cache_;
  std::int64_t reserved_ = 0;  // pages promised to what runs
  std::uint64_t submitted_ = 0;
  std::map<std::uint64_t, std::unique_ptr<active_request>> requests_;
  std::deque<active_request *> waiting_;        // in the order of submission
  std::vector<active_request *> fresh_;         // whose prompts are computed in this step
  std::vector<active_request *> ended_before_;  // complete as they came
  std::vector<sequence> running_;
};

}  // namespace slipstream

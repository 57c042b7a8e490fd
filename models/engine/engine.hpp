#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/types.hpp"

namespace slipstream {

/// What running generations do when new weights arrive: go on with the weights they started with, go on with
/// the new ones over the cache as it is, or go on with the new ones over a cache that is rebuilt with them.
enum class weight_change { finish, keep_cache, recompute };

struct engine_options {
  std::int64_t slots = 64;      ///< sequences decoded at once
  std::int64_t page_size = 16;  ///< tokens a cache page holds
  std::int64_t pages = 0;       ///< cache pages; 0: enough for every slot at the model's full context
  weight_change on_new_weights = weight_change::keep_cache;
  /// About how many tokens of prompts, and of answers to go on with, one step computes at most, so that a
  /// step stays short; what is left comes with the next steps. At least one sequence a step.
  std::int64_t prefill_tokens = 2048;
};

/// One prompt and how many answers to draw. Random numbers come from a counter-based stream keyed by
/// (seed, id, sample, position), so an answer does not depend on what else is running.
struct generation_request {
  std::uint64_t id = 0;
  std::vector<std::int64_t> prompt;
  std::int64_t samples = 1;
  std::int64_t max_new_tokens = 16;
  std::int64_t min_new_tokens = 0;  ///< the end token is not allowed before
  sampling_options sampling;
  std::uint64_t seed = 0;
};

struct finished_request {
  std::uint64_t id = 0;
  std::vector<generation> samples;
};

/// Weights that nobody writes any more.
struct engine_weights {
  std::shared_ptr<const transformer> model;
  std::int64_t version = 0;
};

/// Continuous batching over a paged key-value cache: a finished sequence's slot takes the next one at once,
/// and the samples of one request share the pages of their prompt. No page outlives its request, so a new
/// request never finds keys and values of older weights. Single-threaded.
class engine {
 public:
  explicit engine(engine_options options);
  ~engine();
  engine(engine &&) noexcept;
  engine &operator=(engine &&) noexcept;

  /// Weights for what starts from now on (and, with keep_cache and recompute, for what runs). The buffer must
  /// never change afterwards. All weights of an engine share one spec. With recompute, what runs loses its
  /// pages, and the next steps compute them again for the prompt and the tokens so far.
  void set_weights(std::shared_ptr<const transformer> model, std::int64_t version);

  /// Queues a request. With weights of its own it keeps to them, whatever comes. `begun`, one a sample or
  /// none, is what the samples have already: they go on behind it, at their place in the random stream, and
  /// those that have ended stay as they are. Throws input_error when prompt + max_new_tokens exceeds the
  /// model's context or the cache, or `begun` is not what such a request can have.
  void submit(generation_request request, engine_weights own = {},
              std::vector<partial_generation> begun = {});

  /// One forward pass over every running sequence (prompts that fit are taken in first); returns the requests
  /// whose last sample ended in it, or had ended when they came, oldest first. Does nothing when idle.
  std::vector<finished_request> step();

  /// What the samples of a request have so far, without their first `since` tokens (one number a sample;
  /// none: everything). Empty for unknown ids.
  std::vector<partial_generation> progress(std::uint64_t id,
                                           const std::vector<std::int64_t> &since = {}) const;
  /// How many tokens they have together.
  std::int64_t tokens_of(std::uint64_t id) const;

  /// Ends a request at once; what it has so far is returned with reason `aborted`. Unknown ids give no
  /// samples.
  finished_request abort(std::uint64_t id);

  std::int64_t running() const;            ///< sequences that hold a slot
  std::int64_t queued() const;             ///< sequences that wait for one
  std::int64_t free_slots() const;         ///< slots that nothing running or queued will take
  std::uint64_t decoded_tokens() const;    ///< tokens generated since construction
  std::uint64_t prefilled_tokens() const;  ///< of prompts, and of answers gone on with, computed since then

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace slipstream

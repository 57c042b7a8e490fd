#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/arithmetic/weight_format.hpp"
#include "models/network/transformer.hpp"
#include "models/types.hpp"

namespace slipstream {

/// What running generations do when new weights arrive: they keep the weights they started with, they
/// continue with the new ones over the existing cache, or they continue with the new ones over a rebuilt
/// cache.
enum class weight_change { finish, keep_cache, recompute };

struct engine_options {
  std::int64_t slots = 64;      ///< sequences decoded at once
  std::int64_t page_size = 16;  ///< tokens a cache page holds, 1 to 16
  std::int64_t pages = 0;       ///< cache pages; 0: enough for every slot at the model's full context
  weight_change on_new_weights = weight_change::keep_cache;
  /// One step prefills at most about this many tokens, so that it stays short: tokens of prompts and of
  /// answers that are continued. The next steps compute the rest. Each step takes at least one sequence.
  std::int64_t prefill_tokens = 2048;
  /// How the model's matrices are stored (transformer::packed_in); not float32: on the CPU only.
  arithmetic::weight_format weights = arithmetic::weight_format::float32;
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

/// Weights that are never written again.
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

  /// Sets the weights of all requests that start from now on; with keep_cache and recompute also of the
  /// running ones. The buffer must never change afterwards. All weights of an engine share one spec. With
  /// recompute, running sequences lose their pages, and the next steps compute the pages again for the prompt
  /// and the tokens so far.
  void set_weights(std::shared_ptr<const transformer> model, std::int64_t version);

  /// Queues a request. A request with weights of its own uses them to its end, even when new weights arrive.
  /// `begun` holds the tokens that the samples have already, one entry a sample, or is empty: samples
  /// continue after these tokens, at the same position of the random stream, and samples that have ended stay
  /// as they are. Throws input_error when prompt + max_new_tokens exceeds the model's context or the cache,
  /// or `begun` is not what such a request can have.
  void submit(generation_request request, engine_weights own = {},
              std::vector<partial_generation> begun = {});

  /// Takes in the prompts that fit, then makes one forward pass over every running sequence. Returns the
  /// requests that are complete: their last sample ended in this pass, or had ended before they were queued.
  /// The oldest request comes first. Does nothing when idle.
  std::vector<finished_request> step();

  /// Returns the tokens that a request's samples have so far, without the first `since` tokens of each (one
  /// number a sample; empty: all tokens). Returns nothing for unknown ids.
  std::vector<partial_generation> progress(std::uint64_t id,
                                           const std::vector<std::int64_t> &since = {}) const;
  /// How many tokens they have together.
  std::int64_t tokens_of(std::uint64_t id) const;

  /// Ends a request at once and returns the tokens that it has so far, with reason `aborted`. Returns no
  /// samples for unknown ids.
  finished_request abort(std::uint64_t id);

  std::int64_t running() const;            ///< sequences that hold a slot
  std::int64_t queued() const;             ///< sequences that wait for a slot
  std::int64_t free_slots() const;         ///< slots that no running or queued sequence will take
  std::uint64_t decoded_tokens() const;    ///< tokens generated since construction
  std::uint64_t prefilled_tokens() const;  ///< tokens of prompts and of continued answers computed since then

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace slipstream

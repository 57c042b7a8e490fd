#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/types.hpp"

namespace slipstream {

/// What running generations do when new weights arrive: go on with the weights they started with, or go on
/// with the new ones over the cache as it is.
enum class weight_change { finish, keep_cache };

struct engine_options {
  std::int64_t slots = 64;      ///< sequences decoded at once
  std::int64_t page_size = 16;  ///< tokens a cache page holds
  std::int64_t pages = 0;       ///< cache pages; 0: enough for every slot at the model's full context
  weight_change on_new_weights = weight_change::keep_cache;
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

/// Continuous batching over a paged key-value cache: a finished sequence's slot takes the next one at once,
/// and the samples of one request share the pages of their prompt. Single-threaded.
class engine {
 public:
  explicit engine(engine_options options);
  ~engine();
  engine(engine &&) noexcept;
  engine &operator=(engine &&) noexcept;

  /// Weights for what starts from now on (and, with keep_cache, for what runs). The buffer must never change
  /// afterwards. All weights of an engine share one spec.
  void set_weights(std::shared_ptr<const transformer> model, std::int64_t version);

  /// Queues a request. Throws input_error when prompt + max_new_tokens exceeds the model's context or the
  /// cache.
  void submit(generation_request request);

  /// One forward pass over every running sequence (prompts that fit are taken in first); returns the requests
  /// whose last sample ended in it, oldest first. Does nothing when idle.
  std::vector<finished_request> step();

  /// Ends a request at once; what it has so far is returned with reason `aborted`. Unknown ids give no
  /// samples.
  finished_request abort(std::uint64_t id);

  std::int64_t running() const;          ///< sequences that hold a slot
  std::int64_t queued() const;           ///< sequences that wait for one
  std::int64_t free_slots() const;       ///< slots that nothing running or queued will take
  std::uint64_t decoded_tokens() const;  ///< tokens generated since construction
  std::uint64_t prefilled_tokens() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace slipstream

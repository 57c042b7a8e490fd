#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "models/engine/engine.hpp"
#include "models/engine/paged_cache.hpp"

namespace slipstream {

struct engine_weights {
  std::shared_ptr<const transformer> model;
  std::int64_t version = 0;
};

/// A request on its way through the engine.
struct active_request {
  generation_request request;
  std::uint64_t order = 0;   ///< of submission
  engine_weights weights;    ///< those it keeps to, if any
  block_table prompt_pages;  ///< held from its first sample's start to its last one's
  std::int64_t started = 0;  ///< samples that have had a slot
  std::int64_t ended = 0;
  std::vector<generation> samples;

  std::int64_t waiting() const { return request.samples - started; }
  std::int64_t prompt_length() const { return static_cast<std::int64_t>(request.prompt.size()); }
};

/// One sample that holds a slot. Its next input is `token` at `position`; the cache holds what comes before.
struct sequence {
  active_request *owner = nullptr;
  std::int64_t sample = 0;
  block_table pages;
  std::int64_t token = 0;
  std::int64_t position = 0;
  bool ended = false;

  generation &answer() const { return owner->samples[static_cast<std::size_t>(sample)]; }
};

/// Sequences that started together on a prompt whose keys and values are not in the cache yet:
/// running()[first] and the count - 1 after it. Their pages are the same ones, writable for the whole prompt.
struct prompt_intake {
  std::size_t first = 0, count = 0;
};

/// Who holds a slot and which pages, first come, first served. A sequence takes a slot only when the pages it
/// may need in the worst case are left, so that a running one never lacks any.
class scheduler {
 public:
  scheduler(const engine_options &options, const model_spec &spec, at::TensorOptions tensors);

  /// Queues a request; throws input_error when it can never run.
  void submit(generation_request request);
  /// Starts what fits, first come, first served; requests keep to the weights `kept`. Later samples of a
  /// request that has started go on from its prompt's pages.
  std::vector<prompt_intake> take_in(const engine_weights &kept);
  /// Takes slot and pages from every sequence that has ended; returns the requests that are complete.
  std::vector<finished_request> retire();
  finished_request abort(std::uint64_t id);

  std::vector<sequence> &running() { return running_; }
  const std::vector<sequence> &running() const { return running_; }
  std::int64_t queued() const;
  paged_cache &cache() { return cache_; }

 private:
  void check(const generation_request &request) const;
  std::int64_t prompt_share(const generation_request &request) const;
  std::int64_t sample_share(const generation_request &request) const;
  std::int64_t pages_to_start(const active_request &request, std::int64_t samples) const;
  std::int64_t startable(const active_request &request) const;
  bool start(active_request &request, std::int64_t samples, const engine_weights &kept);
  void let_go(sequence &ended);
  void let_go_of_prompt(active_request &request);

  std::int64_t slots_;
  model_spec spec_;
  paged_cache cache_;
  std::int64_t reserved_ = 0;  // pages promised to what runs
  std::uint64_t submitted_ = 0;
  std::map<std::uint64_t, std::unique_ptr<active_request>> requests_;
  std::deque<active_request *> waiting_;
  std::vector<sequence> running_;
};

}  // namespace slipstream

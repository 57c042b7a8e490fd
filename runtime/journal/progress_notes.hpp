#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "models/engine/engine.hpp"
#include "runtime/journal/events.hpp"

namespace slipstream {

/// How far the journal knows the prompts that an engine runs, and so what their next records say. Pure: the
/// caller has the clock and the journal.
class progress_notes {
 public:
  static constexpr std::int64_t due_tokens = 64;
  static constexpr std::int64_t due_ns = 1'000'000'000;

  /// `begun`: what the journal has of it already; null or one entry a sample.
  void begin(std::uint64_t id, const begun_samples &begun, std::int64_t samples, std::int64_t now_ns);
  /// For every prompt that has due_tokens tokens more than the journal knows, or any when it last heard of it
  /// due_ns ago. Ordered by id.
  std::vector<group_progress> due(const engine &from, std::int64_t now_ns);
  /// Of a prompt that runs; none when the journal knows all of it.
  std::optional<group_progress> rest(const engine &from, std::uint64_t id, std::int64_t now_ns);
  /// Of a prompt whose answers are whole; it is forgotten.
  group_progress last(const finished_request &finished);

 private:
  struct mark {
    std::vector<std::int64_t> tokens;  ///< known of each sample
    std::int64_t total = 0;
    std::int64_t noted_ns = 0;
  };
  std::map<std::uint64_t, mark> marks_;
};

}  // namespace slipstream

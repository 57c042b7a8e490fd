#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace slipstream {

/// Adds up spans of computation: how busy each actor was between the first span's begin and the last one's
/// end.
class span_totals {
 public:
  void add(const std::string &actor, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t tokens);

  double seconds() const;
  /// Tokens of all actors that decode or train, a second.
  double tokens_per_second() const;
  /// {"seconds", "busy": {actor: share of the time}, "tokens": {actor: count}, "tokens_per_second"}
  nlohmann::json summary() const;

 private:
  struct totals {
    std::int64_t busy_ns = 0;
    std::int64_t tokens = 0;
  };
  std::map<std::string, totals> actors_;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

/// One complete event ("ph":"X", microseconds) of the trace event format that Chromium and Perfetto read,
/// with "args": {"tokens" handled, "queued": microseconds that it waited for the run's cores before}.
std::string trace_event(const std::string &actor, const std::string &what, std::int64_t begin_ns,
                        std::int64_t end_ns, std::int64_t tokens = 0, std::int64_t queued_ns = 0);

}  // namespace slipstream

#include "runtime/plumbing/span_totals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace slipstream {

void span_totals::add(const std::string &actor, std::int64_t begin_ns, std::int64_t end_ns,
                      std::int64_t tokens) {
  if (actors_.empty()) first_ns_ = begin_ns;
  first_ns_ = std::min(first_ns_, begin_ns);
  last_ns_ = std::max(last_ns_, end_ns);
  auto &entry = actors_[actor];
  entry.busy_ns += end_ns - begin_ns;
  entry.tokens += tokens;
}

double span_totals::seconds() const {
  return static_cast<double>(last_ns_ - first_ns_) / 1e9;
}

double span_totals::tokens_per_second() const {
  std::int64_t most = 0;  // every token passes several actors; the busiest one's count is the pipeline's
  for (const auto &[actor, entry] : actors_) most = std::max(most, entry.tokens);
  return seconds() > 0 ? static_cast<double>(most) / seconds() : 0.0;
}

nlohmann::json span_totals::summary() const {
  nlohmann::json busy = nlohmann::json::object();
  nlohmann::json tokens = nlohmann::json::object();
  for (const auto &[actor, entry] : actors_) {
    busy[actor] = seconds() > 0 ? static_cast<double>(entry.busy_ns) / 1e9 / seconds() : 0.0;
    tokens[actor] = entry.tokens;
  }
  return {
      {"seconds", seconds()}, {"busy", busy}, {"tokens", tokens}, {"tokens_per_second", tokens_per_second()}};
}

std::string trace_event(const std::string &actor, const std::string &what, std::int64_t begin_ns,
                        std::int64_t end_ns, std::int64_t tokens, std::int64_t queued_ns) {
  return fmt::format(R"({{"ph":"X","pid":"slipstream","tid":{},"name":{},"ts":{:.3f},"dur":{:.3f},)"
                     R"("args":{{"tokens":{},"queued":{:.3f}}}}})",
                     nlohmann::json(actor).dump(), nlohmann::json(what).dump(),
                     static_cast<double>(begin_ns) / 1e3, static_cast<double>(end_ns - begin_ns) / 1e3,
                     tokens, static_cast<double>(queued_ns) / 1e3);
}

}  // namespace slipstream

#include "actors/computing/results_table.hpp"

#include <fmt/format.h>

namespace slipstream {
namespace {

std::string figure(const nlohmann::json &summary, const std::string &pointer, fmt::string_view format) {
  const auto at = nlohmann::json::json_pointer(pointer);
  if (!summary.contains(at) || !summary[at].is_number()) return "-";
  const auto value = summary[at].get<double>();
  return fmt::vformat(format, fmt::make_format_args(value));
}

}  // namespace

std::string results_table(const stage_results &results) {
  constexpr auto row = "{:<24} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>8}\n";
  auto text = fmt::format(row, "run", "updates", "greedy", "sampled", "pairs", "reward", "KL", "staleness",
                          "tokens/s", "seconds");
  for (const auto &summary : results) {
    const auto largest = figure(summary, "/staleness_max", "{:.0f}");
    const auto bound = figure(summary, "/staleness_bound", "{:.0f}");
    const auto staleness =
        summary["staleness_bound"].is_null() ? bound : fmt::format("{} of {}", largest, bound);
    text +=
        fmt::format(row, summary.value("name", "?"), figure(summary, "/updates", "{:.0f}"),
                    figure(summary, "/eval/accuracy_greedy", "{:.3f}"),
                    figure(summary, "/eval/accuracy_sampled", "{:.3f}"),
                    figure(summary, "/eval/accuracy_pairs", "{:.3f}"),
                    figure(summary, "/reward_mean", "{:.3f}"), figure(summary, "/kl", "{:.3f}"), staleness,
                    figure(summary, "/tokens_per_second", "{:.0f}"), figure(summary, "/seconds", "{:.1f}"));
  }
  return text;
}

}  // namespace slipstream

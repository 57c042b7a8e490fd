#include "runtime/plumbing/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "models/tokenizers/columns.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

void append_metric(std::string &line, const nlohmann::json &metrics, const char *key, const char *label,
                   fmt::string_view format) {
  const auto value = metrics.find(key);
  if (value == metrics.end() || !value->is_number()) return;
  const auto number = value->get<double>();  // whole numbers too
  line += fmt::format(" {} {}", label, fmt::vformat(format, fmt::make_format_args(number)));
}

// Asked for each line, as a window changes its size; 80 where a terminal does not tell.
std::int64_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

progress_style detect_progress_style() {
  return isatty(STDERR_FILENO) ? progress_style::live : progress_style::plain;
}

std::string progress_line(const progress_options &options, const progress_state &state,
                          const nlohmann::json &metrics) {
  auto line = fmt::format("{} {}/{}", options.run, state.update, options.updates);
  append_metric(line, metrics, "loss", "loss", "{:.4f}");
  append_metric(line, metrics, "accuracy", "accuracy", "{:.3f}");
  append_metric(line, metrics, "reward_mean", "reward", "{:.3f}");
  append_metric(line, metrics, "kl", "KL", "{:.3f}");
  append_metric(line, metrics, "staleness_mean", "staleness", "{:.2f}");
  line +=
      fmt::format(" queues {}+{} {:.0f} tokens/s", state.sampling, state.buffered, state.tokens_per_second);
  if (state.update > 0)
    line += " left " +
            duration_text(state.seconds / static_cast<double>(state.update) *
                          static_cast<double>(std::max<std::int64_t>(options.updates - state.update, 0)));
  return line;
}

void show_progress(const progress_options &options, const progress_state &state,
                   const nlohmann::json &metrics) {
  if (options.style == progress_style::none) return;
  const auto line = progress_line(options, state, metrics);
  if (options.style == progress_style::live) {
    say("\r\033[K" + fitted_to(line, terminal_columns() - 1));  // a full line would wrap on some
    std::fflush(stderr);
    return;
  }
  const auto tenth = std::max<std::int64_t>(options.updates / 10, 1);
  if (state.update % tenth == 0 || state.update == options.updates) say(line + "\n");
}

void end_progress(const progress_options &options) {
  if (options.style == progress_style::live) say("\n");
}

}  // namespace slipstream

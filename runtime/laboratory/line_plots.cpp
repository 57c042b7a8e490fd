#include "runtime/laboratory/plot_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/laboratory/plot_file.hpp"

namespace slipstream {
namespace {

using point_figure = std::function<double(const update_point &)>;

struct axis {
  std::string name, label, tab;
  point_figure x;
};

const std::vector<axis> &axes() {
  static const std::vector<axis> all{
      {"updates", "updates", "updates", [](const auto &p) { return p.update; }},
      {"samples", "rollouts trained on", "samples", [](const auto &p) { return p.samples; }},
      {"generated", "generated tokens", "generated tokens", [](const auto &p) { return p.generated_tokens; }},
      {"wall", "wall time, s", "wall time", [](const auto &p) { return p.wall_seconds; }},
      {"device", "device seconds (busy time, on a CPU times threads)", "device seconds",
       [](const auto &p) { return p.device_seconds; }},
  };
  return all;
}

curve curve_of(const run_figures &run, const point_figure &x, const point_figure &y) {
  curve line;
  for (const auto &point : run.updates) {
    if (std::isnan(y(point))) continue;
    line.x.push_back(x(point));
    line.y.push_back(y(point));
  }
  return line;
}

std::size_t window_of(const comparison &compared) {
  std::size_t most = 1;
  for (const auto &arm : compared.arms)
    for (const auto &run : arm.runs)
      if (run.figures) most = std::max(most, run.figures->updates.size());
  return std::max<std::size_t>(most / 20, 1);
}

std::vector<band_point> band_of(const compared_arm &arm, std::size_t window, const point_figure &x,
                                const point_figure &y) {
  std::vector<curve> lines;
  for (const auto &run : arm.runs) {
    if (!run.figures) continue;
    auto line = curve_of(*run.figures, x, y);
    if (!line.x.empty()) lines.push_back(trailing_mean(line, window));
  }
  return mean_curve(lines);
}

// One curve an arm, with a band where there are several seeds. False when there is nothing to draw.
bool add_bands(plot_file &file, const comparison &compared, std::size_t window, const point_figure &x,
               const point_figure &y, bool legend = true) {
  std::string bands, lines;
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    const auto band = band_of(compared.arms[i], window, x, y);
    if (band.empty()) continue;
    file.comment(compared.arms[i].arm.label + ": x, mean, low, high, seeds");
    for (const auto &point : band) {
      auto cells = plot_file::cells(point.y);
      cells.insert(cells.begin(), plot_file::number(point.x));
      cells.push_back(std::to_string(point.y.count));
      file.row(cells);
      least = std::min(least, point.y.mean);
      most = std::max(most, point.y.mean);
    }
    const auto data = fmt::format("{} index {} using ", file.data_name(), file.blocks());
    file.next_block();
    if (band.front().y.count > 1)
      bands += fmt::format("{}1:3:4 with filledcurves {} fs transparent solid 0.15 noborder notitle, \\\n  ",
                           data, plot_file::colour(i));
    lines += fmt::format("{}{}1:2 with lines {} lw 2 {}", lines.empty() ? "" : ", \\\n  ", data,
                         plot_file::colour(i),
                         legend ? "title " + plot_file::quoted(compared.arms[i].arm.label) : "notitle");
  }
  if (lines.empty()) return false;
  // With few seeds bands may be many times as high as what the curves do: the frame is the curves'.
  const double room = most > least ? 0.4 * (most - least) : 0.5;
  file.script(fmt::format("set yrange [{:.6g}:{:.6g}]",
                          least >= 0 ? std::max(least - room, 0.0) : least - room, most + room));
  file.script("plot " + bands + lines);
  return true;
}

std::string smoothing(std::size_t window) {
  return window == 1 ? std::string("Each update as it is.")
                     : fmt::format("Means over the last {} updates.", window);
}

void add_curves(std::vector<plot> &plots, const std::filesystem::path &folder, const comparison &compared) {
  const auto window = window_of(compared);
  const std::string what = compared.metric == "loss" ? "loss" : "reward";
  const auto y = [&](const update_point &point) {
    const auto found = point.metrics.find(compared.metric);
    return found == point.metrics.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  };
  for (const auto &each : axes()) {
    plot_file file("curve-" + each.name);
    file.axes(each.label, "mean " + what + " of the batch");
    if (!add_bands(file, compared, window, each.x, y)) continue;
    file.store(folder);
    plots.push_back({file.name(), what == "loss" ? "Loss" : "Reward",
                     smoothing(window) + " Bands: 95 % confidence over seeds (Student's t), where all seeds "
                                         "of an arm have points; they are cut at the frame.",
                     each.tab});
  }
}

void add_starvation(std::vector<plot> &plots, const std::filesystem::path &folder,
                    const comparison &compared) {
  const auto window = window_of(compared);
  plot_file file("starvation", 900, 900);
  file.script("set multiplot layout 3,1");
  const auto x = [](const update_point &point) { return point.update; };
  file.axes("", "finished group waits, s");
  bool any = add_bands(file, compared, window, x, [](const auto &point) { return point.wait_seconds; });
  file.script("unset key");
  file.axes("", "the same, in batches");
  any = add_bands(
            file, compared, window, x, [](const auto &point) { return point.wait_versions; }, false) &&
        any;
  file.axes("updates", "oldest open draw, s");
  any = add_bands(
            file, compared, window, x, [](const auto &point) { return point.open_seconds; }, false) &&
        any;
  file.script("unset multiplot");
  if (!any) return;
  file.store(folder);
  plots.push_back({file.name(), "Starvation",
                   "How long the longest-waiting group of each batch had lain finished, in seconds and in "
                   "batches that went before it, and the age of the oldest draw that was still neither "
                   "consumed nor dropped. " +
                       smoothing(window),
                   ""});
}

struct bins {
  std::int64_t first = 0, width = 1;
  std::size_t of(std::int64_t length) const { return static_cast<std::size_t>((length - first) / width); }
};

std::optional<bins> length_bins(const comparison &compared) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
  for (const auto &arm : compared.arms)
    for (const auto &run : arm.runs)
      if (run.figures)
        for (const auto &answer : run.figures->answers)
          if (!std::isnan(answer.age)) {
            least = std::min(least, answer.length);
            most = std::max(most, answer.length);
          }
  if (most < least) return {};
  return bins{least, (most - least) / 12 + 1};
}

// Mean age in each bin of lengths, for every seed that has answers there.
std::map<std::size_t, std::vector<double>> ages(const compared_arm &arm, const bins &by) {
  std::map<std::size_t, std::vector<double>> result;
  for (const auto &run : arm.runs) {
    if (!run.figures) continue;
    std::map<std::size_t, std::pair<double, double>> sums;
    for (const auto &answer : run.figures->answers)
      if (!std::isnan(answer.age)) {
        auto &[sum, count] = sums[by.of(answer.length)];
        sum += answer.age;
        ++count;
      }
    for (const auto &[bin, sum] : sums) result[bin].push_back(sum.first / sum.second);
  }
  return result;
}

void add_age_by_length(std::vector<plot> &plots, const std::filesystem::path &folder,
                       const comparison &compared) {
  const auto by = length_bins(compared);
  if (!by) return;
  plot_file file("age-by-length");
  file.axes("length of the answer, tokens", "age of its oldest token, versions");
  file.script("set yrange [-0.05:*]");
  std::string lines;
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    file.comment(compared.arms[i].arm.label + ": middle of the bin, mean, low, high");
    for (const auto &[bin, values] : ages(compared.arms[i], *by)) {
      auto cells = plot_file::cells(*estimate_mean(values));
      cells.insert(
          cells.begin(),
          plot_file::number(static_cast<double>(by->first) +
                            (static_cast<double>(bin) + 0.5) * static_cast<double>(by->width) - 0.5));
      file.row(cells);
    }
    lines += fmt::format("{}{} index {} using 1:2:3:4 with yerrorlines {} lw 2 pt 7 ps 0.5 title {}",
                         lines.empty() ? "" : ", \\\n  ", file.data_name(), file.blocks(),
                         plot_file::colour(i), plot_file::quoted(compared.arms[i].arm.label));
    file.next_block();
  }
  file.script("plot " + lines);
  file.store(folder);
  plots.push_back(
      {file.name(), "Age by length",
       "Age of an answer's oldest token when it was trained on; bars: 95 % confidence over seeds.", ""});
}

}  // namespace

void add_line_plots(std::vector<plot> &plots, const std::filesystem::path &folder,
                    const comparison &compared) {
  add_curves(plots, folder, compared);
  add_starvation(plots, folder, compared);
  add_age_by_length(plots, folder, compared);
}

}  // namespace slipstream

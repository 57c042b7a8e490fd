#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "runtime/laboratory/plot_file.hpp"
#include "runtime/laboratory/plot_groups.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

using run_figure = std::function<double(const run_figures &)>;

std::optional<estimate> over_seeds(const compared_arm &arm, const run_figure &figure) {
  std::vector<double> values;
  for (const auto &run : arm.runs)
    if (run.figures && std::isfinite(figure(*run.figures))) values.push_back(figure(*run.figures));
  return estimate_mean(values);
}

double mean_or_missing(const compared_arm &arm, const run_figure &figure) {
  const auto value = over_seeds(arm, figure);
  return value ? value->mean : std::numeric_limits<double>::quiet_NaN();
}

template <class Key, class Member>
std::set<Key> keys_of(const comparison &compared, Member member) {
  std::set<Key> keys;
  for (const auto &arm : compared.arms)
    for (const auto &run : arm.runs)
      if (run.figures)
        for (const auto &[key, value] : (*run.figures).*member) keys.insert(key);
  return keys;
}

void join_plots(plot_file &file, const std::vector<std::string> &parts) {
  std::string all = "plot ";
  for (std::size_t i = 0; i < parts.size(); ++i) all += (i == 0 ? "" : ", \\\n  ") + parts[i];
  file.script(all);
}

// Labels of arms below bars: slanted where they would run into one another.
std::string arm_tics(const comparison &compared) {
  std::size_t letters = 0;
  for (const auto &arm : compared.arms) letters += arm.arm.label.size() + 2;
  return letters > 90 ? "set xtics rotate by -20 scale 0" : "set xtics scale 0";
}

void add_staleness(std::vector<plot> &plots, const std::filesystem::path &folder,
                   const comparison &compared) {
  const auto ages = keys_of<std::int64_t>(compared, &run_figures::token_ages);
  if (ages.empty()) return;
  plot_file file("staleness");
  file.axes("age of a token when it was trained on, versions", "share of the tokens trained on, %");
  file.script("set style data histogram\nset style histogram clustered gap 1");
  file.script("set style fill solid 0.85 noborder\nset yrange [0:*]\nset xtics scale 0");
  std::string header = "age";
  for (const auto &arm : compared.arms) header += "\t" + arm.arm.label;
  file.comment(header);
  for (auto age = *ages.begin(); age <= *ages.rbegin(); ++age) {
    std::vector<std::string> cells{std::to_string(age)};
    for (const auto &arm : compared.arms)
      cells.push_back(plot_file::number(mean_or_missing(arm, [&](const run_figures &run) {
        double all = 0, here = 0;
        for (const auto &[other, tokens] : run.token_ages) {
          all += static_cast<double>(tokens);
          if (other == age) here = static_cast<double>(tokens);
        }
        return all > 0 ? 100 * here / all : std::numeric_limits<double>::quiet_NaN();
      })));
    file.row(cells);
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < compared.arms.size(); ++i)
    parts.push_back(fmt::format("{} using {}{} title {} {}", file.data_name(), i + 2,
                                i == 0 ? ":xtic(1)" : "", plot_file::quoted(compared.arms[i].arm.label),
                                plot_file::colour(i)));
  join_plots(file, parts);
  file.store(folder);
  plots.push_back(
      {file.name(), "Staleness", "Means over seeds; every token that was trained on counts.", ""});
}

void add_time(std::vector<plot> &plots, const std::filesystem::path &folder, const comparison &compared) {
  const auto actors = keys_of<std::string>(compared, &run_figures::actors);
  if (actors.empty()) return;
  plot_file file("time", 900, 480);
  file.axes("", "share of the time until the last update, %");
  file.script("set style data histogram\nset style histogram rowstacked title offset 0,-1");
  file.script("set style fill solid 0.9 noborder\nset boxwidth 0.8\nset yrange [0:100]");
  file.script("set xtics rotate by -30 scale 0\nset bmargin 5.5\nset key maxrows 1");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    const auto &arm = compared.arms[i];
    file.comment(arm.arm.label + ": actor, busy, waiting for cores, waiting for work (%)");
    for (const auto &actor : actors) {
      const auto share = [&](double actor_shares::*member) {
        return plot_file::number(mean_or_missing(arm, [&](const run_figures &run) {
          const auto found = run.actors.find(actor);
          return found == run.actors.end() ? 0.0 : 100 * (found->second.*member);
        }));
      };
      file.row(
          {actor, share(&actor_shares::busy), share(&actor_shares::queued), share(&actor_shares::waiting)});
    }
    const auto index = fmt::format("{} index {}", file.data_name(), file.blocks());
    file.next_block();
    const auto title = [&](const char *text) { return i == 0 ? plot_file::quoted(text) : std::string("''"); };
    parts.push_back(fmt::format("newhistogram {} lt 1, {} using 2:xtic(1) title {} lc rgb '#0072B2'",
                                plot_file::quoted(arm.arm.label), index, title("computes")));
    parts.push_back(fmt::format("{} using 3 title {} lc rgb '#E69F00'", index, title("waits for cores")));
    parts.push_back(fmt::format("{} using 4 title {} lc rgb '#dddddd'", index, title("waits for work")));
  }
  join_plots(file, parts);
  file.store(folder);
  plots.push_back({file.name(), "Busy and waiting",
                   "Means over seeds (and replicas). Held-out evaluation is no work of the run and counts as "
                   "waiting.",
                   ""});
}

void add_waste(std::vector<plot> &plots, const std::filesystem::path &folder, const comparison &compared) {
  const auto reasons = keys_of<std::string>(compared, &run_figures::wasted);
  if (reasons.empty()) return;  // every token was trained on, or none was generated
  plot_file file("waste");
  file.axes("", "generated tokens not trained on, %");
  file.script("set style data histogram\nset style histogram rowstacked\nset style fill solid 0.85 noborder");
  file.script("set boxwidth 0.6\nset yrange [0:*]\n" + arm_tics(compared));
  std::string header = "arm";
  for (const auto &reason : reasons) header += "\t" + reason;
  file.comment(header + "\tall");
  for (const auto &arm : compared.arms) {
    std::vector<std::string> cells{arm.arm.label};
    const auto share = [&](const run_figure &tokens) {
      return plot_file::number(mean_or_missing(arm, [&](const run_figures &run) {
        return run.generated == 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : 100 * tokens(run) / static_cast<double>(run.generated);
      }));
    };
    for (const auto &reason : reasons)
      cells.push_back(share([&](const run_figures &run) {
        const auto found = run.wasted.find(reason);
        return found == run.wasted.end() ? 0.0 : static_cast<double>(found->second);
      }));
    cells.push_back(share([](const run_figures &run) {
      double all = 0;
      for (const auto &[reason, tokens] : run.wasted) all += static_cast<double>(tokens);
      return all;
    }));
    file.row(cells);
  }
  std::vector<std::string> parts;
  std::size_t column = 2;
  for (const auto &reason : reasons) {
    parts.push_back(fmt::format("{} using {}:xtic(1) title {} {}", file.data_name(), column,
                                plot_file::quoted(reason), plot_file::colour(column - 2)));
    ++column;
  }
  join_plots(file, parts);
  file.store(folder);
  plots.push_back({file.name(), "Waste", "By what became of the tokens; means over seeds.", ""});
}

// One panel: a point with its interval an arm, against what the arm itself generated and against what the
// synchronous arm did.
void add_bias_panel(plot_file &file, const comparison &compared, const std::string &figure,
                    const std::string &label, bool legend) {
  file.comment(figure +
               ": place, then trained - generated (mean, low, high), then trained - generated by "
               "the synchronous arm, label");
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    std::vector<std::string> cells{std::to_string(i)};
    for (const auto *against : {"_bias", "_shift"}) {
      const auto value = over_seeds(compared.arms[i], [&](const run_figures &run) {
        const auto found = run.values.find(figure + against);
        return found == run.values.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
      });
      const auto more = value ? plot_file::cells(*value) : std::vector<std::string>{"nan", "nan", "nan"};
      cells.insert(cells.end(), more.begin(), more.end());
    }
    cells.push_back(compared.arms[i].arm.label);
    file.row(cells);
  }
  const auto data = fmt::format("{} index {}", file.data_name(), file.blocks());
  file.next_block();
  file.axes("", label);
  const auto title = [&](const char *text) {
    return legend ? "title " + plot_file::quoted(text) : std::string("notitle");
  };
  join_plots(file,
             {"0 lc rgb '#888888' lw 1 notitle",
              fmt::format("{} using ($1-0.1):2:3:4:xtic(8) with yerrorbars pt 7 lw 2 lc rgb '#0072B2' {}",
                          data, title("against what the arm generated")),
              fmt::format("{} using ($1+0.1):5:6:7 with yerrorbars pt 5 lw 2 lc rgb '#D55E00' {}", data,
                          title("against what the synchronous arm generated"))});
}

void add_bias_plot(std::vector<plot> &plots, const std::filesystem::path &folder,
                   const comparison &compared) {
  const bool any = std::any_of(compared.rows.begin(), compared.rows.end(),
                               [](const figure_row &row) { return row.key == "length_bias"; });
  if (!any) return;
  plot_file file("bias", 900, 840);
  file.script(fmt::format("set xrange [-0.5:{}]", static_cast<double>(compared.arms.size()) - 0.5));
  file.script("set yrange [*<-0.01:0.01<*]\n" + arm_tics(compared));
  file.script("set multiplot layout 3,1");
  add_bias_panel(file, compared, "length", "length, tokens", true);
  add_bias_panel(file, compared, "reward", "reward", false);
  add_bias_panel(file, compared, "difficulty", "reward of the prompt's row", false);
  file.script("unset multiplot");
  file.store(folder);
  plots.push_back({file.name(), "Bias",
                   "Mean of the answers trained on, less the mean of those generated (over whole runs). Row "
                   "reward is the mean reward of a prompt over a run, the synchronous arm's where there is "
                   "one: below 0, hard prompts are trained on more often than they were sampled. Bars: 95 % "
                   "confidence over seeds.",
                   ""});
}

}  // namespace

void add_bar_plots(std::vector<plot> &plots, const std::filesystem::path &folder,
                   const comparison &compared) {
  add_staleness(plots, folder, compared);
  add_time(plots, folder, compared);
  add_waste(plots, folder, compared);
  add_bias_plot(plots, folder, compared);
}

std::vector<plot> write_plots(const std::filesystem::path &folder, const comparison &compared) {
  make_folder(folder);
  std::vector<plot> plots;
  add_line_plots(plots, folder, compared);
  add_bar_plots(plots, folder, compared);
  return plots;
}

}  // namespace slipstream

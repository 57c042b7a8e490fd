#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/laboratory/grid.hpp"
#include "runtime/laboratory/run_figures.hpp"
#include "runtime/laboratory/statistics.hpp"

namespace slipstream {

/// One run of an arm: its figures, or why there are none.
struct compared_run {
  std::uint64_t seed = 1;
  std::string name;
  std::optional<run_figures> figures;
  std::string problem;
};

struct compared_arm {
  sweep_arm arm;
  std::int64_t max_staleness = 0;
  std::vector<compared_run> runs;
  std::optional<std::size_t>
      synchronous;  ///< the arm that is the same but for max_staleness = 0; perhaps this
};

/// A figure of one arm over its seeds, and its difference to the first arm's over the seeds that both have.
struct figure_cell {
  std::optional<estimate> value, difference;
};
struct figure_row {
  std::string key;    ///< "waste", "busy.learner"
  std::string title;  ///< "generated tokens not trained on, %"
  int digits = 3;
  std::vector<figure_cell> cells;  ///< one an arm
};

struct comparison {
  std::string metric = "reward_mean";  ///< of the curves; "loss" where nothing is rewarded
  std::vector<compared_arm> arms;
  std::string unpaired;  ///< where two arms of a seed drew different rows; empty: all draws are the same
  std::vector<figure_row> rows;
};

/// Finds for each arm its synchronous counterpart, adds the bias of each run against it, checks that draws
/// are paired, and sums up over seeds. Differences are left out where draws are not paired.
comparison compare_arms(std::vector<compared_arm> arms);

/// Where a draw of one run is another row than the same draw of the other; empty when the streams agree as
/// far as both go.
std::string stream_difference(const compared_run &a, const compared_run &b);

/// The table's cells, its head first: figures down, arms across; "mean ± half of the 95 % interval
/// (difference)".
std::vector<std::vector<std::string>> table_cells(const comparison &compared);
/// The table as Markdown.
std::string table_text(const comparison &compared);

/// The whole comparison, with the figures of every run.
nlohmann::json comparison_json(const comparison &compared);

}  // namespace slipstream

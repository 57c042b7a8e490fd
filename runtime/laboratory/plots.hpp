#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/laboratory/comparison.hpp"

namespace slipstream {

/// One picture: NAME.tsv holds its figures, NAME.gp draws NAME.svg from them.
struct plot {
  std::string name, title, caption;
  std::string tab;  ///< plots of one title with a tab each stand in one place; empty: it stands alone
};

/// Writes data and gnuplot scripts of all plots into `folder`: the metric over updates, samples, generated
/// tokens, wall time and device seconds; ages of tokens; busy and waiting time; waste; bias; age by length;
/// starvation. What a sweep has no figures for is left out. Throws run_error when a file cannot be written.
std::vector<plot> write_plots(const std::filesystem::path &folder, const comparison &compared);

}  // namespace slipstream

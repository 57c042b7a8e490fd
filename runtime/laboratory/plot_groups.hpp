#pragma once

#include "runtime/laboratory/plots.hpp"

namespace slipstream {

/// The metric's curves, starvation, and age by length.
void add_line_plots(std::vector<plot> &plots, const std::filesystem::path &folder,
                    const comparison &compared);

/// Ages of tokens, busy and waiting time, waste, and bias.
void add_bar_plots(std::vector<plot> &plots, const std::filesystem::path &folder, const comparison &compared);

}  // namespace slipstream

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/laboratory/plots.hpp"

namespace slipstream {

struct page_head {
  std::string title;
  std::string command;             ///< that made the page
  std::vector<std::string> notes;  ///< what a reader must know: unfinished runs, streams that are not paired
};

/// One HTML file that needs no other: the table, and the pictures NAME.svg of `pictures` (those that are
/// there), with a tab for each x axis.
std::string page_html(const page_head &head, const comparison &compared, const std::vector<plot> &plots,
                      const std::filesystem::path &pictures);

}  // namespace slipstream

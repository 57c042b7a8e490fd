#pragma once

#include <string>
#include <vector>

#include "runtime/topology/check.hpp"

namespace slipstream {

/// A topology as a picture: boxes and arrows.
struct picture {
  struct box {
    std::string name;
    std::string kind;
    std::string device;
  };
  struct arrow {
    std::size_t from = 0;  ///< index of a box
    std::size_t to = 0;
    std::string label;      ///< the port, or what flows
    bool feedback = false;  ///< drawn dashed and left out of the layout (weights, versions)
  };
  std::vector<box> boxes;
  std::vector<arrow> arrows;
};

/// Boxes for the actors in the order of the file, an arrow for every `takes`. The topology has passed its
/// checks.
picture picture_of(const topology &graph, const kind_table &kinds);

std::string to_mermaid(const picture &drawing);
std::string to_dot(const picture &drawing);
/// A self-contained SVG: columns by the longest way from a source, arrows left to right.
std::string to_svg(const picture &drawing);

}  // namespace slipstream

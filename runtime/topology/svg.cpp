#include <fmt/format.h>

#include <algorithm>

#include "runtime/topology/graph.hpp"

namespace slipstream {

namespace {

constexpr int box_height = 44, row_height = 76, column_gap = 96, margin = 24;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Column of each box: the longest way from a source. Every pass settles one more column, so cycles end too.
std::vector<int> columns_of(const picture &drawing) {
  std::vector<int> column(drawing.boxes.size(), 0);
  for (std::size_t pass = 0; pass < drawing.boxes.size(); ++pass)
    for (const auto &arrow : drawing.arrows)
      if (!arrow.feedback && static_cast<std::size_t>(column[arrow.from] + 1) < drawing.boxes.size())
        column[arrow.to] = std::max(column[arrow.to], column[arrow.from] + 1);
  return column;
}

struct placed {
  int x = 0, y = 0, width = 0;
};

// Rows by the mean row of what a box takes from (one sweep of Sugiyama's barycentre rule), then by file
// order.
std::vector<std::vector<std::size_t>> layers_of(const picture &drawing, const std::vector<int> &column) {
  const int last = column.empty() ? -1 : *std::max_element(column.begin(), column.end());
  std::vector<std::vector<std::size_t>> layers(static_cast<std::size_t>(last + 1));
  for (std::size_t i = 0; i < column.size(); ++i) layers[static_cast<std::size_t>(column[i])].push_back(i);
  std::vector<double> row(column.size(), 0.0);
  for (auto &layer : layers) {
    std::vector<std::pair<double, std::size_t>> order;
    for (const auto i : layer) {
      double sum = 0.0;
      int count = 0;
      for (const auto &arrow : drawing.arrows)
        if (arrow.to == i && !arrow.feedback && column[arrow.from] < column[i]) {
          sum += row[arrow.from];
          ++count;
        }
      order.emplace_back(count == 0 ? 0.0 : sum / count, i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    for (std::size_t k = 0; k < layer.size(); ++k) {
      layer[k] = order[k].second;
      row[layer[k]] = static_cast<double>(k) - static_cast<double>(layer.size() - 1) / 2;
    }
  }
  return layers;
}

std::string detail_line(const picture::box &box) {
  return box.device.empty() || box.device == "cpu" ? box.kind : fmt::format("{} on {}", box.kind, box.device);
}

int width_of(const picture::box &box) {
  return 24 + 8 * static_cast<int>(std::max(box.name.size(), detail_line(box).size()));
}

std::string draw_box(const picture::box &box, const placed &at) {
  const int middle = at.x + at.width / 2;
  return fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#f4f6fb\" stroke=\"#44546a\"/>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5a6b82\">{}</text>\n",
      at.x, at.y, at.width, box_height, middle, at.y + 19, escaped(box.name), middle, at.y + 35,
      escaped(detail_line(box)));
}

// Forward arrows bend gently; feedback runs along the bottom, where no boxes are.
std::string draw_arrow(const picture::arrow &arrow, const placed &from, const placed &to, int bottom) {
  const int x1 = from.x + from.width, y1 = from.y + box_height / 2;
  const int x2 = to.x - 4, y2 = to.y + box_height / 2;
  const bool back = arrow.feedback || x2 <= x1;
  const auto curve =
      back ? fmt::format("M{} {} C{} {} {} {} {} {}", from.x + from.width / 2, from.y + box_height, from.x,
                         bottom, to.x + to.width, bottom, to.x + to.width / 2, to.y + box_height + 4)
           : fmt::format("M{} {} C{} {} {} {} {} {}", x1, y1, (x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
  const int label_x = (x1 + x2) / 2, label_y = back ? bottom - 8 : (y1 + y2) / 2 - 6;
  return fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"#44546a\" marker-end=\"url(#tip)\"{}/>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5a6b82\">{}</text>\n",
      curve, arrow.feedback ? " stroke-dasharray=\"5 4\"" : "", label_x, label_y, escaped(arrow.label));
}

}  // namespace

std::string to_svg(const picture &drawing) {
  const auto layers = layers_of(drawing, columns_of(drawing));
  std::size_t rows = 1;
  for (const auto &layer : layers) rows = std::max(rows, layer.size());
  std::vector<placed> places(drawing.boxes.size());
  int x = margin;
  for (const auto &layer : layers) {
    int width = 0;
    for (const auto i : layer) width = std::max(width, width_of(drawing.boxes[i]));
    int y = margin + static_cast<int>(rows - layer.size()) * row_height / 2;
    for (const auto i : layer) {
      places[i] = {x, y, width};
      y += row_height;
    }
    x += width + column_gap;
  }
  const bool any_back = std::any_of(drawing.arrows.begin(), drawing.arrows.end(), [&](const auto &arrow) {
    return arrow.feedback || places[arrow.to].x <= places[arrow.from].x;
  });
  const int bottom = margin + static_cast<int>(rows) * row_height + (any_back ? 40 : 0);
  std::string body;
  for (const auto &arrow : drawing.arrows)
    body += draw_arrow(arrow, places[arrow.from], places[arrow.to], bottom);
  for (std::size_t i = 0; i < places.size(); ++i) body += draw_box(drawing.boxes[i], places[i]);
  const int width = std::max(x - column_gap, margin) + margin;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#44546a\"/></marker></defs>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n{2}</svg>\n",
      width, bottom + margin, body);
}

}  // namespace slipstream

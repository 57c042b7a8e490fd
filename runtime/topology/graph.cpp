#include "runtime/topology/graph.hpp"

#include <fmt/format.h>

namespace slipstream {

namespace {

// Mermaid takes labels as HTML, with entities that begin with # instead of &.
std::string mermaid_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "#quot;";
        break;
      case '<':
        out += "#lt;";
        break;
      case '>':
        out += "#gt;";
        break;
      case '&':
        out += "#amp;";
        break;
      case '#':
        out += "#35;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string dot_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string second_line(const picture::box &box) {
  return box.device.empty() || box.device == "cpu" ? box.kind : fmt::format("{} on {}", box.kind, box.device);
}

}  // namespace

picture picture_of(const topology &graph, const kind_table &kinds) {
  picture drawing;
  for (const auto &actor : graph.actors) drawing.boxes.push_back({actor.name, actor.kind, actor.device});
  for (std::size_t to = 0; to < graph.actors.size(); ++to)
    for (const auto &edge : graph.actors[to].takes) {
      const auto *giver = graph.find_actor(edge.name);
      const auto ports = kinds.find(giver->kind);
      drawing.arrows.push_back({static_cast<std::size_t>(giver - graph.actors.data()), to,
                                ports == kinds.end() ? "" : ports->second.gives});
    }
  return drawing;
}

std::string to_mermaid(const picture &drawing) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < drawing.boxes.size(); ++i)
    out += fmt::format("  a{}[\"{}<br/>{}\"]\n", i, mermaid_text(drawing.boxes[i].name),
                       mermaid_text(second_line(drawing.boxes[i])));
  for (const auto &arrow : drawing.arrows) {
    const auto line = arrow.feedback ? "-.->" : "-->";
    const auto label = arrow.label.empty() ? "" : fmt::format("|\"{}\"|", mermaid_text(arrow.label));
    out += fmt::format("  a{} {}{} a{}\n", arrow.from, line, label, arrow.to);
  }
  return out;
}

std::string to_dot(const picture &drawing) {
  std::string out =
      "digraph topology {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (std::size_t i = 0; i < drawing.boxes.size(); ++i)
    out += fmt::format("  a{} [label=\"{}\\n{}\"];\n", i, dot_text(drawing.boxes[i].name),
                       dot_text(second_line(drawing.boxes[i])));
  for (const auto &arrow : drawing.arrows)
    out += fmt::format("  a{} -> a{} [label=\"{}\"{}];\n", arrow.from, arrow.to, dot_text(arrow.label),
                       arrow.feedback ? ", style=dashed, constraint=false" : "");
  return out + "}\n";
}

}  // namespace slipstream

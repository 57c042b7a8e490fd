#include "runtime/topology/graph.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

const picture sample{
    {{"prompts", "loader", "cpu"}, {"sampler", "sampler", "cuda:0"}, {"a\"<&", "scorer", ""}},
    {{0, 1, "examples"}, {1, 2, "rollouts"}, {2, 1, "weights", true}}};

std::size_t count(const std::string &text, const std::string &word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// Left edges of the boxes, in the order in which they are drawn.
std::vector<int> left_edges(const std::string &svg) {
  std::vector<int> edges;
  for (auto at = svg.find("<rect x="); at != std::string::npos; at = svg.find("<rect x=", at + 1))
    edges.push_back(std::stoi(svg.substr(at + 9)));
  return edges;
}

}  // namespace

TEST_CASE("a topology becomes boxes and arrows") {
  const auto text =
      "[run]\nname = \"r\"\nupdates = 1\n[schedule]\nbatch = 8\n[actors.learner]\nkind = \"learner\"\n"
      "takes = \"data\"\ndevice = \"cuda:1\"\n[actors.data]\nkind = \"loader\"\n";
  const auto drawing =
      picture_of(make_topology(parse_document(text, "t.toml"), "t.toml"), {{"loader", {{}, "rows"}}});
  REQUIRE(drawing.boxes.size() == 2);
  CHECK(drawing.boxes[0].device == "cuda:1");
  REQUIRE(drawing.arrows.size() == 1);
  CHECK(drawing.arrows[0].from == 1);
  CHECK(drawing.arrows[0].to == 0);
  CHECK(drawing.arrows[0].label == "rows");
}

TEST_CASE("mermaid and dot name every box and arrow, and escape") {
  const auto mermaid = to_mermaid(sample);
  CHECK_THAT(mermaid, Contains("flowchart LR\n") && Contains("a1[\"sampler<br/>sampler on cuda:0\"]") &&
                          Contains("a0 -->|\"examples\"| a1") && Contains("a2 -.->|\"weights\"| a1") &&
                          Contains("a#quot;#lt;#amp;"));
  const auto dot = to_dot(sample);
  CHECK_THAT(dot, Contains("digraph") && Contains("a0 -> a1 [label=\"examples\"]") &&
                      Contains("style=dashed") && Contains("a\\\"<&"));
}

TEST_CASE("svg places boxes left to right and escapes") {
  const auto svg = to_svg(sample);
  CHECK(count(svg, "<rect x=") == 3);
  CHECK(count(svg, "<path d=\"M") == 4);  // three arrows and the tip
  CHECK_THAT(svg, Contains("a&quot;&lt;&amp;") && Contains("stroke-dasharray"));
  const auto edges = left_edges(svg);
  CHECK(edges[0] < edges[1]);
  CHECK(edges[1] < edges[2]);
}

TEST_CASE("svg ends for empty pictures and for cycles") {
  CHECK_THAT(to_svg({}), Contains("</svg>"));
  const picture ring{{{"a", "k", ""}, {"b", "k", ""}}, {{0, 1, ""}, {1, 0, ""}}};
  CHECK(count(to_svg(ring), "<rect x=") == 2);
}

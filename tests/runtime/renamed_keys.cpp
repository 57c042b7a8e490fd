#include "runtime/topology/renamed_keys.hpp"

#include <fstream>
#include <regex>
#include <sstream>

#include "models/error.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/laboratory/grid.hpp"
#include "runtime/topology/resolved.hpp"
#include "runtime/topology/topology.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

const std::string guard = "[{ signal = \"ess\", below = 0.3, act = \"skip\" }]";
const std::string tail =
    "[models.m]\narchitecture = \"llama\"\nalphabet = \"ab\"\nhidden_size = 8\nlayers = 1\nheads = 1\n"
    "[actors.data]\nkind = \"loader\"\ndataset = \"x.jsonl\"\n"
    "[actors.learner]\nkind = \"learner\"\ntakes = \"data\"\nmodel = \"m\"\nloss = \"sft\"\n"
    "learning_rate = 1e-3\n";

std::string file_with(const std::string &schedule, const std::string &learner = "") {
  return "[run]\nname = \"r\"\nupdates = 1\n[schedule]\nbatch = 8\n" + schedule + tail + learner;
}

topology read(const std::string &text, const std::vector<std::string> &overrides = {}) {
  auto document = parse_document(text, "f.toml");
  for (const auto &each : overrides) apply_override(document, each);
  return make_topology(document, "f.toml");
}

}  // namespace

TEST_CASE("an old key is read, with a note that names its place and the new key") {
  const auto graph = read(file_with("brakes = " + guard + "\ni_know = true\n", "i_know = true\n"));
  REQUIRE(graph.schedule.guards.size() == 1);
  CHECK(graph.schedule.guards[0].signal == "ess");
  CHECK(graph.schedule.allow_unbounded_staleness);
  CHECK(graph.find_actor("learner")->node.find("allow_uncorrected") != nullptr);
  REQUIRE(graph.notes.size() == 3);
  CHECK(graph.notes[0] == "line 6: [schedule] brakes is called guards now; the old name is read until 1.0");
  CHECK_THAT(graph.notes[2], Contains("[actors.learner] i_know is called allow_uncorrected now"));
  CHECK(read(file_with("guards = " + guard + "\n")).notes.empty());
}

TEST_CASE("the old and the new name of a key together are an error at the old one") {
  CHECK_THROWS_WITH(read(file_with("guards = " + guard + "\nbrakes = []\n")),
                    StartsWith("f.toml:7:1: error: [schedule] has brakes and guards, which is the new name "
                               "of brakes; remove brakes"));
}

TEST_CASE("an actor of another kind keeps a key of that name") {
  auto document = parse_document("[actors.mine]\nkind = \"mine\"\ni_know = 1\n", "f.toml");
  CHECK(rename_keys(document).empty());
  CHECK(document.find("actors")->find("mine")->find("i_know") != nullptr);
}

TEST_CASE("--set knows both names, whichever the file has") {
  const std::string one = "schedule.brakes=" + guard, other = "schedule.guards=" + guard;
  for (const auto &file : {file_with("brakes = []\n"), file_with("guards = []\n"), file_with("")})
    for (const auto &each : {one, other}) {
      INFO(file << each);
      CHECK(read(file, {each}).schedule.guards.size() == 1);
    }
  CHECK(read(file_with(""), {one, "schedule.guards=[]"}).schedule.guards.empty());
  CHECK_THROWS_WITH(read(file_with("guards = []\n"), {"schedule.brakes=3"}),
                    StartsWith("--set schedule.brakes: error: "));
}

TEST_CASE("--vary takes the two names of a key as one") {
  CHECK(present_path("schedule.brakes") == "schedule.guards");
  CHECK(present_path("actors.policy.i_know") == "actors.policy.allow_uncorrected");
  CHECK(present_path("run.seed") == "run.seed");
  CHECK_THROWS_WITH(make_arms({{"schedule.brakes", {"[]"}}, {"schedule.guards", {"[]"}}}),
                    Contains("varied twice"));
}

TEST_CASE("a run that an earlier release began is known by its topology, and resumes") {
  const test::scratch folder;
  const run_paths paths(folder.path());
  const auto now = write_resolved(read(file_with("guards = " + guard + "\n", "allow_uncorrected = false\n")));
  auto before = std::regex_replace(now, std::regex("guards ="), "brakes =");
  before = std::regex_replace(before, std::regex("allow_unbounded_staleness"), "i_know");
  before = std::regex_replace(before, std::regex("allow_uncorrected"), "i_know");
  REQUIRE(before != now);
  CHECK(has_old_keys(before));
  CHECK_FALSE(has_old_keys(now));
  CHECK(with_present_keys(before) == now);
  std::ofstream(paths.topology) << before << std::flush;
  CHECK_NOTHROW(require_same_topology(paths, now));
  const auto other = std::regex_replace(now, std::regex("below = 0.3"), "below = 0.4");
  CHECK_THROWS_WITH(require_same_topology(paths, other), Contains("guards = "));
}

TEST_CASE("the topology of the kept run of an earlier release gets present names") {
  const auto kept = test::read_text(test::data("journals") / "run" / "runs" / "kept" / "topology.toml");
  CHECK(has_old_keys(kept));
  const auto present = with_present_keys(kept);
  CHECK_FALSE(has_old_keys(present));
  auto document = parse_document(kept, "topology.toml");
  CHECK(rename_keys(document).size() == 4);
  document = parse_document(present, "topology.toml");
  CHECK(rename_keys(document).empty());
  CHECK(document.find("schedule")->find("guards") != nullptr);
}

TEST_CASE("causes of an earlier release's journal are told in present words, and back") {
  CHECK(present_cause("brake: ess 0.1 below 0.3") == "guard: ess 0.1 below 0.3");
  CHECK(present_cause("brake") == "guard");
  CHECK(present_cause("brakes: no") == "brakes: no");
  CHECK(present_cause("late") == "late");
  CHECK(old_cause("guard: ess 0.1 below 0.3") == "brake: ess 0.1 below 0.3");
}

TEST_CASE("docs/renamed.md lists every renamed key and word") {
  std::ifstream file(SLIPSTREAM_SOURCE_DIR "/docs/renamed.md");
  std::ostringstream text;
  text << file.rdbuf();
  for (const auto &row : renamed_keys()) {
    CHECK_THAT(text.str(), Contains("`" + std::string(row.old_name) + "`"));
    CHECK_THAT(text.str(), Contains("`" + std::string(row.name) + "`"));
  }
  for (const auto &row : renamed_words()) CHECK_THAT(text.str(), Contains("`" + std::string(row.name) + "`"));
}

#include <fmt/format.h>

#include "models/engine/random.hpp"
#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/topology/check.hpp"
#include "runtime/topology/resolved.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

// Damaged input must parse or be refused with an input_error: anything else (another exception, a crash, a
// report of a sanitizer) fails the test.

namespace {

const std::string topology_text = R"([run]
name = "mutant" # a comment
updates = 200
[schedule]
batch = 64
max_staleness = 2
[models.policy]
architecture = "llama"
hidden_size = 128
layers = 4
heads = 2
alphabet = "0123456789 é\n"
[models.reference]
copy_of = "policy"
[actors.prompts]
kind = "loader"
[actors.sampler]
kind = "sampler"
takes = "prompts"
model = "policy"
group = 8
options = { top_k = 5, list = [1.5, -2, "x"], when = 0x1F }
[actors.learner]
kind = "learner"
takes = ["sampler"]
)";

const std::string rows_text =
    "{\"prompt\":\"sort 52914=\",\"response\":\"12459\",\"score\":1.5e0}\r\n\n"
    "{\"prompt\":\"h\\u00e9\",\"response\":\"\xC3\xA9\",\"score\":-2,\"more\":{\"a\":[true,null]}}\n";

const std::string array_text =
    "[{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"h\\\"]\"}]},{\"from\":"
    "\"gpt\",\"value\":\"a\","
    "\"weight\":0}],\"tools\":\"[{}]\"},\n "
    "{\"messages\":{\"role\":\"user\",\"content\":\"b\",\"name\":null}}]\n";

// Between one and four edits: a byte replaced, removed, inserted, or a piece copied elsewhere.
std::string mutated(std::string text, std::uint64_t index) {
  const std::string_view signs("\"'[]{}=.,#\\\n\r\t -+_e0\0\x7F\xC3\xFF", 25);
  std::uint64_t drawn = 0;
  const auto below = [&](std::size_t bound) { return philox(99, index, drawn++).words[0] % bound; };
  for (auto edits = 1 + below(4); edits > 0 && !text.empty(); --edits) {
    const auto at = below(text.size());
    const char byte = below(2) == 0 ? signs[below(signs.size())] : static_cast<char>(below(256));
    switch (below(4)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.erase(at, 1 + below(8));
        break;
      case 2:
        text.insert(at, 1 + below(3), byte);
        break;
      default:
        text.insert(at, text.substr(below(text.size()), below(40)));
        break;
    }
  }
  return text;
}

struct outcomes {
  int read = 0, refused = 0;
};

template <class Read>
outcomes try_mutations(const std::string &text, int count, const Read &read) {
  outcomes result;
  for (int i = 0; i < count; ++i) {
    const auto damaged = mutated(text, static_cast<std::uint64_t>(i));
    try {
      read(damaged);
      ++result.read;
    } catch (const input_error &error) {
      ++result.refused;
      if (std::string_view(error.what()).find("error: ") == std::string_view::npos)
        FAIL("no place in the message: " << error.what());
    } catch (const std::exception &error) {
      FAIL("mutation " << i << ": " << error.what() << "\n" << damaged);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("damaged topologies are read or refused, and what is read can be written") {
  const kind_table kinds{{"loader", {{}, "examples"}},
                         {"sampler", {{"examples"}, "rollouts"}},
                         {"learner", {{"rollouts", "samples"}, ""}}};
  const auto counts = try_mutations(topology_text, 4000, [&](const std::string &text) {
    const auto graph = make_topology(parse_document(text, "t.toml"), "t.toml");
    check_ports(graph, kinds);
    const auto resolved = write_resolved(graph);
    if (write_resolved(make_topology(parse_document(resolved, "r.toml"), "r.toml")) != resolved)
      FAIL("not resolved: " << resolved);
  });
  CHECK(counts.read > 50);
  CHECK(counts.refused > 1000);
}

TEST_CASE("damaged overrides are applied or refused") {
  const auto counts =
      try_mutations("actors.sampler.options={a=[1,\"x\"]}", 4000, [&](const std::string &text) {
        auto root = parse_document(topology_text, "t.toml");
        apply_override(root, text);
      });
  CHECK(counts.read > 100);
  CHECK(counts.refused > 100);
}

TEST_CASE("damaged datasets are read or refused") {
  const auto counts = try_mutations(rows_text, 8000, [](const std::string &text) {
    if (parse_jsonl(text, "d.jsonl").rows.empty()) FAIL("no rows");
  });
  CHECK(counts.read > 100);
  CHECK(counts.refused > 1000);
}

TEST_CASE("damaged arrays of dialogues are read or refused") {
  const auto counts = try_mutations(array_text, 8000, [](const std::string &text) {
    if (parse_jsonl(text, "d.json").rows.empty()) FAIL("no rows");
  });
  CHECK(counts.read > 100);
  CHECK(counts.refused > 1000);
}

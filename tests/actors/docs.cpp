#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "actors/preflight.hpp"
#include "actors/registry.hpp"
#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using names = std::set<std::string>;

registry all_kinds() {
  registry kinds;
  register_builtin(kinds);
  return kinds;
}

/// The parts of `text` that a pattern's first group matches.
names parts(const std::string &text, const std::string &pattern) {
  names result;
  const std::regex expression(pattern);
  for (std::sregex_iterator found(text.begin(), text.end(), expression), end; found != end; ++found)
    result.insert((*found)[1].str());
  return result;
}

/// The keys that a kind knows, from what it says of one that it does not: first it asks for those it cannot
/// do without, one a time, each with an example to write; then it lists all.
names keys_of(const actor_kind &kind) {
  auto document = parse_document("probe.nobody_knows_this = 1", "probe");
  if (kind.name == "learner") apply_override(document, "probe.loss=\"sft\"");
  for (int tries = 0; tries < 20; ++tries) {
    actor_config actor;
    actor.name = "probe";
    actor.node = *document.find("probe");
    std::string said;
    try {
      kind.read(actor);
    } catch (const input_error &problem) {
      said = problem.what();
    }
    std::smatch found;
    if (std::regex_search(said, found, std::regex("add a line such as (\\w+) = (.*)"))) {
      apply_override(document, "probe." + found[1].str() + "=" + found[2].str());
    } else {
      REQUIRE(
          std::regex_search(said, found, std::regex("unknown key \"nobody_knows_this\".* Known keys: (.*)")));
      const auto listed = found[1].str();
      auto keys = parts(listed, "(\\w+)");
      for (const auto *common : {"kind", "takes", "device", "node", "and"}) keys.erase(common);
      return keys;
    }
  }
  FAIL(kind.name + " asks for ever more keys");
  return {};
}

struct documented_row {
  names kinds;  ///< "advantage.*" stands for a family
  names keys;
};

/// The rows of the table of kinds: | `kind`, … | `key`, … | default | meaning |; an empty cell repeats the
/// kind.
std::vector<documented_row> documented() {
  const auto text = test::read_text(std::filesystem::path(SLIPSTREAM_SOURCE_DIR) / "docs" / "topology.md");
  std::istringstream lines(text.substr(text.find("## Keys of the actor kinds")));
  std::vector<documented_row> rows;
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (!std::regex_match(line, found, std::regex("\\|([^|]*)\\|([^|]*)\\|([^|]*)\\|(.*)\\|"))) continue;
    const auto first = found[1].str(), second = found[2].str();
    documented_row row{parts(first, "`([^`]+)`"), parts(second, "`([^`]+)`")};
    if (row.kinds.empty() && !rows.empty()) row.kinds = rows.back().kinds;
    if (line.find("around") != std::string::npos) break;  // the next table
    rows.push_back(row);
  }
  return rows;
}

bool concerns(const documented_row &row, const std::string &kind) {
  return std::any_of(row.kinds.begin(), row.kinds.end(), [&](const std::string &name) {
    return name.ends_with(".*") ? kind.starts_with(name.substr(0, name.size() - 1)) : name == kind;
  });
}

}  // namespace

TEST_CASE("the table of keys has every key of every kind, and no other") {
  const auto rows = documented();
  REQUIRE(rows.size() > 30);
  const auto kinds = all_kinds();
  for (const auto &[name, kind] : kinds.kinds()) {
    CAPTURE(name);
    names written;
    bool mentioned = false;
    for (const auto &row : rows) {
      if (!concerns(row, name)) continue;
      mentioned = true;
      written.insert(row.keys.begin(), row.keys.end());
    }
    CHECK(mentioned);
    CHECK(written == keys_of(kind));
  }
}

TEST_CASE("every topology under configs/ is read, and its edges fit") {
  const auto kinds = all_kinds();
  std::size_t count = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(SLIPSTREAM_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() != ".toml") continue;
    CAPTURE(entry.path());
    CHECK_NOTHROW(preflight(read_topology(entry.path()), kinds));
    ++count;
  }
  CHECK(count >= 6);
}

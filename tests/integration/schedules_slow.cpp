// The program itself in every order of consumption: what `check` says of it, and that the run keeps it.
#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using test::Contains;

namespace {

struct schedule_case {
  std::string keys;
  std::int64_t staleness;
  std::string promise, lead;  ///< what `check` prints
  std::int64_t in_flight;     ///< rollouts at most; batches are 8, groups 4
};

const schedule_case cases[] = {
    {"", 0, "at most 0 versions, for every token",
     "admission lead: 0 (groups are trained on in the order of their draws)", 8},
    {"order = \"strict\"\n", 2, "at most 2 versions",
     "admission lead: 2 (groups are trained on in the order of their draws)", 24},
    {"order = \"windowed\"\nwindow = 3\n", 2, "at most 2 versions",
     "admission lead: 1 (max_staleness 2, less 1 since at most 2 younger groups can come before one, at 2 a "
     "batch)",
     16},
    {"order = \"windowed\"\nwindow = 1.0\n", 2, "at most 2 versions",
     "admission lead: 1 (max_staleness 2, less 1 since at most 1 younger groups can come before one, at 2 a "
     "batch)",
     16},
    {"order = \"completion\"\n", 2, "at most 2 versions",
     "admission lead: 1 (late_after 2, less 1 as room to overtake; set lead for more or less)", 16},
    {"order = \"completion\"\nlate_after = 1\nlead = 1\n", 2, "at most 2 versions",
     "admission lead: 1 (as lead says; 1 would be allowed: late_after 1", 16},
    {"order = \"completion\"\nwhen_late = \"drop\"\nlead = 2\n", 2, "at most 2 versions",
     "admission lead: 2 (as lead says; 2 would be allowed: late_after 2", 24},
    {"order = \"completion\"\nwhen_late = \"accept\"\nallow_unbounded_staleness = true\n", 2,
     "NO PROMISE (allow_unbounded_staleness = true)",
     "admission lead: 2 (no promise: max_staleness is only the lead)", 24},
    {"lead = { from = 2, to = 0, end = 3 }\n", 2, "at most 2 versions",
     "admission lead: 0 to 2 (as lead says; 2 would be allowed", 24},
    {"publish_every = 2\nmax_in_flight = 12\n", 1, "at most 1 versions", "admission lead: 1 (", 12},
    {"order = \"windowed\"\nwindow = 2\nbatch_least = 4\nbatch_after = 0.001\nmax_running = 4\n", 2,
     "at most 2 versions", "admission lead: 1 (", 16},
    {"guards = [{ signal = \"weight_max\", above = 0.0, act = \"skip\" }]\n", 1, "at most 1 versions",
     "admission lead: 1 (", 16},
};

std::string topology(const schedule_case &each) {
  test::tiny_topology tiny{.folder = "."};
  tiny.max_staleness = each.staleness;
  tiny.updates = 6;
  tiny.schedule = each.keys;
  return tiny.grpo();
}

nlohmann::json run(const test::scratch &folder, const test::scratch &prints) {
  test::program program(folder.path(), prints.path(), {"run", "tiny.toml"});
  const auto code = program.wait();
  INFO(program.err());
  REQUIRE(code == 0);
  return nlohmann::json::parse(test::read_text(folder / "runs/tiny/summary.json"));
}

void check_summary(const schedule_case &each, const nlohmann::json &summary) {
  const auto oldest = summary.at("staleness_max").get<std::int64_t>();
  if (each.keys.find("accept") != std::string::npos) {
    CHECK(summary.at("staleness_bound").is_null());
  } else {
    CHECK(summary.at("staleness_bound") == each.staleness);
    CHECK(oldest <= each.staleness);
  }
  const auto &books = summary.at("ledger");
  std::int64_t dropped = 0;
  for (const auto &[reason, rollouts] : books.at("dropped").items()) dropped += rollouts.get<std::int64_t>();
  CHECK(books.at("drawn") ==
        books.at("trained").get<std::int64_t>() + dropped + books.at("in_flight").get<std::int64_t>());
  CHECK(summary.at("updates") == 6);
  if (each.keys.find("guards") != std::string::npos) {
    CHECK(books.at("trained").get<std::int64_t>() + dropped == 48);
    CHECK(dropped >= 8);
    CHECK_THAT(books.at("dropped").begin().key(), Contains("guard: weight_max"));
  } else if (each.keys.find("batch_least") == std::string::npos) {
    CHECK(books.at("trained") == 48);
    CHECK(books.at("in_flight") == 0);
  }
}

}  // namespace

TEST_CASE("check prints the lead that each schedule derives from its promise, and the run keeps it") {
  for (const auto &each : cases) {
    INFO(each.staleness << "\n" << each.keys);
    const test::scratch folder, prints;
    test::write_tiny_data(folder.path());
    folder.write("tiny.toml", topology(each));
    test::program checked(folder.path(), prints.path(), {"check", "tiny.toml"});
    const auto code = checked.wait();
    INFO(checked.err());
    REQUIRE(code == 0);
    CHECK_THAT(checked.out(), Contains("staleness: " + each.promise));
    CHECK_THAT(checked.out(), Contains(each.lead));
    CHECK_THAT(checked.out(), Contains("in flight: at most " + std::to_string(each.in_flight) + " rollouts"));
    check_summary(each, run(folder, prints));
  }
}

TEST_CASE("a schedule that would starve or wait for ever is refused, by the key that is wrong") {
  struct fault {
    std::string keys, mend;
    int line;
  };
  const fault faults[] = {
      {"order = \"windowed\"\nwindow = 6\n", "make window smaller or max_staleness larger", 10},
      {"order = \"completion\"\nwhen_late = \"accept\"\n", "allow_unbounded_staleness = true", 10},
      {"publish_every = 3\n", "publish_every = 3 would wait for ever", 9},
      {"max_in_flight = 4\n", "set it to 8 or more", 9},
      {"lead = 2\n", "set lead to 1 or less", 9},
  };
  for (const auto &[keys, mend, line] : faults) {
    const test::scratch folder, prints;
    test::write_tiny_data(folder.path());
    folder.write("tiny.toml", topology({keys, 1, "", "", 0}));
    test::program checked(folder.path(), prints.path(), {"check", "tiny.toml"});
    INFO(keys);
    CHECK(checked.wait() == 2);
    CHECK_THAT(checked.err(), Contains("tiny.toml:" + std::to_string(line) + ":"));
    CHECK_THAT(checked.err(), Contains(mend));
  }
}

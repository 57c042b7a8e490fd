#include "runtime/topology/run_date.hpp"

#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

TEST_CASE("a run's date is the one that its folder holds, else this moment") {
  const test::scratch folder;
  CHECK(is_date(date_of_run(folder.path())));
  folder.write(
      "topology.toml",
      "[data]\ndate = \"2020-01-01 00:00:00\"\n\n[run]\nname = \"x\"\ndate = \"2024-02-29 01:02:03\"\n");
  CHECK(date_of_run(folder.path()) == "2024-02-29 01:02:03");
  folder.write("topology.toml", "[run]\ndate = \"yesterday\"\n");
  CHECK(is_date(date_of_run(folder.path())));
}

TEST_CASE("what is no date is told from one") {
  CHECK(is_date("2026-11-30 14:05:09"));
  for (const char *text :
       {"", "2026-11-30", "2026-02-30 00:00:00", "2026-11-30 24:00:00", "2026-11-30T14:05:09 "})
    CHECK_FALSE(is_date(text));
}

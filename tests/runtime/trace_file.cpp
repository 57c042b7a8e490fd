#include "runtime/run_folder/trace_file.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

TEST_CASE("a trace is whole JSON after every event, as a kill may leave it") {
  const test::scratch folder;
  const auto file = folder / "trace.json";
  trace_file trace(file);
  CHECK(json::parse(test::read_text(file)) == json::array());
  for (int i = 1; i <= 3; ++i) {
    trace.write(json{{"name", i}}.dump());
    const auto events = json::parse(test::read_text(file));
    REQUIRE(events.size() == static_cast<std::size_t>(i));
    CHECK(events.back()["name"] == i);
  }
  trace_file again(file);
  CHECK(json::parse(test::read_text(file)).empty());
}

TEST_CASE("an event that finds no room leaves the list as it was") {
  const test::scratch folder;
  const auto file = folder / "trace.json";
  trace_file trace(file);
  trace.write(R"({"name":"first"})");
  const auto before = test::read_text(file);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{before.size() + 10, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  CHECK_THROWS_AS(trace.write(R"({"name":")" + std::string(100, 'x') + "\"}"), run_error);
  ::setrlimit(RLIMIT_FSIZE, &old);
  CHECK(test::read_text(file) == before);
}

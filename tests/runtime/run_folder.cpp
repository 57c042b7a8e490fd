#include "runtime/run_folder/run_folder.hpp"

#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/run_folder/json_lines.hpp"
#include "runtime/run_folder/write.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;
namespace fs = std::filesystem;

TEST_CASE("a run folder is locked while it is held, and free afterwards") {
  const test::scratch folder;
  const auto runs = folder / "runs/a";
  {
    const run_folder held(runs);
    CHECK(fs::is_directory(held.paths().checkpoints));
    CHECK(fs::is_directory(held.paths().journal));
    CHECK(test::read_text(held.paths().lock) == std::to_string(::getpid()) + "\n");
    const auto message = "process " + std::to_string(::getpid()) + " writes this run folder now";
    CHECK_THROWS_WITH(run_folder(runs), Contains(message) && Contains("choose another run.name"));
    CHECK_THROWS_AS(check_run_folder(runs), input_error);
  }
  CHECK_THROWS_WITH(run_folder(runs), Contains("did not finish"));
  fs::remove_all(runs / "checkpoints");
  fs::remove_all(runs / "journal");
  CHECK_NOTHROW(run_folder(runs));  // a lock file that nobody holds is no run
}

TEST_CASE("a folder that holds something is refused and left as it is") {
  const test::scratch folder;
  folder.write("finished/summary.json", "{}");
  folder.write("stopped/topology.toml", "");
  folder.write("other/thesis.txt", "");
  const auto refused = [&](const char *name, const char *words) {
    CHECK_THROWS_WITH(run_folder(folder / name), Contains(words) && Contains("run.name"));
    CHECK(std::distance(fs::directory_iterator(folder / name), {}) == 1);
  };
  refused("finished", "already holds a finished run");
  refused("stopped", "already holds a run that did not finish");
  refused("other", "already holds other files");
}

TEST_CASE("a folder that cannot be written is refused before anything is made") {
  const test::scratch folder;
  const auto file = folder.write("runs", "a file");
  CHECK_THROWS_WITH(check_run_folder(file / "a"), Contains("runs is a file, not a folder"));
  CHECK_THROWS_WITH(run_folder(file / "a"), Contains("--set run.folder="));
  CHECK_THROWS_AS(run_folder("/proc/slipstream/a"), input_error);
  if (::geteuid() != 0) {
    fs::create_directory(folder / "closed");
    fs::permissions(folder / "closed", fs::perms::owner_read | fs::perms::owner_exec);
    CHECK_THROWS_WITH(check_run_folder(folder / "closed/a"), Contains("cannot be written"));
  }
  CHECK_NOTHROW(check_run_folder(folder / "x/y/z"));
  CHECK_FALSE(fs::exists(folder / "x"));
}

TEST_CASE("links and files are replaced whole") {
  const test::scratch folder;
  replace_link(folder / "last", "step-1");
  replace_link(folder / "last", "step-2");
  CHECK(fs::read_symlink(folder / "last") == "step-2");
  write_aside(folder / "f", "old and long");
  write_aside(folder / "f", "new");
  CHECK(test::read_text(folder / "f") == "new");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 2);
  CHECK_THROWS_AS(write_aside(folder / "none/f", "x"), run_error);
  CHECK_THROWS_AS(replace_link(folder / "none/l", "x"), run_error);
}

TEST_CASE("json lines append whole lines and mend what JSON cannot hold") {
  const test::scratch folder;
  {
    json_lines out(folder / "m.jsonl");
    out.write({{"update", 1}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
    CHECK(test::read_text(folder / "m.jsonl") == "{\"loss\":null,\"update\":1}\n");
  }
  json_lines(folder / "m.jsonl").write({{"text", "a\xFF\n"}});
  CHECK_THAT(test::read_text(folder / "m.jsonl"), Contains("}\n{\"text\":\"a\xEF\xBF\xBD\\n\"}\n"));
  CHECK_THROWS_AS(json_lines(folder / "none/m.jsonl"), run_error);
  write_summary(folder / "s.json", {{"a", 1}});
  CHECK(test::read_text(folder / "s.json") == "{\n  \"a\": 1\n}\n");
}

TEST_CASE("a model is another run's last checkpoint, or a folder") {
  const test::scratch folder;
  const auto runs = folder / "runs";
  folder.write("runs/sft/checkpoints/step-000002/config.json", "{}");
  replace_link(runs / "sft/checkpoints/last", "step-000002");
  CHECK(resolve_model("run:sft", runs) == runs / "sft/checkpoints/step-000002");
  CHECK(resolve_model(runs.string(), runs) == runs);
  CHECK_THROWS_WITH(resolve_model("no/such", runs), StartsWith("there is no model \"no/such\""));
  for (const char *bad : {"run:", "run:../sft", "run:a/b"})
    CHECK_THROWS_WITH(resolve_model(bad, runs), Contains("names no run"));
}

TEST_CASE("a missing run is named with the topology that makes it") {
  const test::scratch folder;
  folder.write("configs/broken.toml", "[");
  const auto sft = folder.write("configs/sft.toml", "[run]\nname = \"quick-sft\"\n");
  const source_position at{(folder / "configs/rlhf.toml").string(), 9, 8};
  CHECK_THROWS_WITH(
      resolve_model("run:quick-sft", folder / "runs", at),
      StartsWith(to_string(at) + ": error: there is no run \"quick-sft\" in " + (folder / "runs").string()) &&
          Contains("run " + sft.string() + " first"));
  fs::create_directories(folder / "runs/quick-sft/checkpoints");
  CHECK_THROWS_WITH(resolve_model("run:quick-sft", folder / "runs", at),
                    Contains("quick-sft has no finished checkpoint"));
  replace_link(folder / "runs/quick-sft/checkpoints/last", "step-gone");
  CHECK_THROWS_WITH(
      resolve_model("run:quick-sft", folder / "runs"),
      Contains("no finished checkpoint") && Contains("run the topology named \"quick-sft\" first"));
}

#include <pty.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/program.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using test::Contains;
using test::scratch;

namespace {

/// Looks again and again until `done` holds; false when it still does not after two minutes.
template <class Condition>
bool comes_true(Condition done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// A run with far more updates than anybody would wait for.
struct long_run {
  scratch folder, prints;
  test::program program{prepared(folder), prints.path(), {"run", "tiny.toml"}};

  static const std::filesystem::path &prepared(const scratch &folder) {
    test::write_tiny_data(folder.path());
    folder.write("tiny.toml", test::tiny_topology{.folder = ".", .updates = 1'000'000}.grpo());
    return folder.path();
  }
  std::filesystem::path operator/(const std::filesystem::path &name) const {
    return folder / "runs" / "tiny" / name;
  }

  bool trains() {
    return comes_true([&] {
             const auto metrics = test::read_text(*this / "metrics.jsonl");
             return std::count(metrics.begin(), metrics.end(), '\n') >= 2 || !program.running();
           }) &&
           program.running();
  }
};

nlohmann::json generate(const std::filesystem::path &folder, const std::filesystem::path &model) {
  const scratch prints;
  test::program program(
      folder, prints.path(),
      {"generate", "--model", model.string(), "--prompt", "12=", "--max-new-tokens", "3", "--json"});
  const auto code = program.wait();
  INFO(program.err());
  REQUIRE(code == 0);
  return nlohmann::json::parse(program.out());
}

/// Runs a few updates on a terminal and gives back all that it showed.
std::pair<int, std::string> run_on_a_terminal(const scratch &folder) {
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) {
    ::setenv("SLIPSTREAM_THREADS_SET", "1", 1);
    if (::chdir(folder.path().c_str()) == 0)
      ::execl(SLIPSTREAM_PROGRAM, SLIPSTREAM_PROGRAM, "run", "tiny.toml", nullptr);
    ::_exit(127);
  }
  std::string shown;
  char part[4096];
  for (ssize_t count; (count = ::read(terminal, part, sizeof part)) > 0;)
    shown.append(part, static_cast<std::size_t>(count));
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::close(terminal);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, shown};
}

}  // namespace

TEST_CASE("Ctrl-C ends a run cleanly: books that close, a whole checkpoint, a summary, exit code 130") {
  long_run run;
  REQUIRE(run.trains());
  run.program.signal(SIGINT);
  const auto code = run.program.wait();
  INFO(run.program.err());
  CHECK(code == 130);
  CHECK_THAT(run.program.err(), Contains("tiny: interrupted; checkpoint and summary are in ./runs/tiny\n"));
  CHECK_THAT(run.program.err(), !Contains("error"));

  const auto summary = nlohmann::json::parse(test::read_text(run / "summary.json"));
  CHECK(summary["status"] == "stopped");
  CHECK(summary["exit_code"] == 130);
  const auto &books = summary["ledger"];
  std::int64_t dropped = 0;
  for (const auto &[reason, count] : books["dropped"].items()) dropped += count.get<std::int64_t>();
  CHECK(books["drawn"] ==
        books["trained"].get<std::int64_t>() + dropped + books["in_flight"].get<std::int64_t>());
  CHECK(books["trained"].get<std::int64_t>() == 8 * summary["updates"].get<std::int64_t>());
  CHECK(summary["staleness_max"].get<std::int64_t>() <= 1);

  const auto metrics = test::read_text(run / "metrics.jsonl");
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') == summary["updates"].get<std::int64_t>());
  const auto answer = generate(run.folder.path(), run / "checkpoints/last");
  CHECK(answer["ids"].size() >= 1);
  CHECK(answer["ids"].size() == answer["logprobs"].size());
}

TEST_CASE("a second interrupt ends the run at once") {
  long_run run;
  REQUIRE(run.trains());
  run.program.signal(SIGSTOP);
  run.program.signal(SIGINT);
  run.program.signal(SIGTERM);  // two of a kind would be delivered as one
  run.program.signal(SIGCONT);
  CHECK(run.program.wait() == 130);
  CHECK_FALSE(std::filesystem::exists(run / "summary.json"));
}

TEST_CASE("SIGTERM ends a run as Ctrl-C does") {
  long_run run;
  REQUIRE(run.trains());
  run.program.signal(SIGTERM);
  CHECK(run.program.wait() == 130);
  CHECK(nlohmann::json::parse(test::read_text(run / "summary.json"))["status"] == "stopped");
}

TEST_CASE("progress is a live line on a terminal and plain lines elsewhere") {
  const scratch live, plain, prints;
  for (const auto *folder : {&live, &plain}) {
    test::write_tiny_data(folder->path());
    folder->write("tiny.toml", test::tiny_topology{.folder = "."}.sft());
  }
  const auto [code, shown] = run_on_a_terminal(live);
  INFO(shown);
  CHECK(code == 0);
  CHECK_THAT(shown, Contains("\r\033[Ktiny 1/4 loss "));
  CHECK_THAT(shown, Contains("\r\033[Ktiny 4/4 loss "));

  test::program program(plain.path(), prints.path(), {"run", "tiny.toml"});
  CHECK(program.wait() == 0);
  CHECK_THAT(program.err(), Contains("\ntiny 1/4 loss "));
  CHECK_THAT(program.err(), Contains("\ntiny 4/4 loss "));
  CHECK(program.err().find_first_of("\r\033") == std::string::npos);
  CHECK_THAT(program.out(), Contains("./runs/tiny\n"));
  CHECK(nlohmann::json::parse(test::read_text(plain / "runs/tiny/summary.json"))["status"] == "finished");
}

#include "runtime/nodes/launcher.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

/// What a shell makes of a text.
std::string through_shell(const std::string &text) {
  const std::unique_ptr<FILE, int (*)(FILE *)> shell(popen(("printf %s " + text).c_str(), "r"), pclose);
  std::string said;
  for (int c = std::fgetc(shell.get()); c != EOF; c = std::fgetc(shell.get())) said += static_cast<char>(c);
  return said;
}

nodes_config one_node(const std::string &program, std::int64_t restarts = 2) {
  nodes_config nodes;
  nodes.timeout_ms = 20;
  node_config node;
  node.name = "a";
  node.program = program;
  node.restarts = restarts;
  nodes.members.push_back(node);
  return nodes;
}

}  // namespace

TEST_CASE("a word reaches another machine's shell unchanged") {
  for (const std::string word : {"plain", "two words", "it's", "$HOME `id` \"x\" \\ *;&|<>()", "'"})
    CHECK(through_shell(shell_word(word)) == word);
}

TEST_CASE("nodes are started here, through ssh, and by srun") {
  auto nodes = one_node("");
  auto &node = nodes.members.front();
  const endpoint join{"::1", 4711};
  auto words = launch_words(nodes, node, "/opt/slipstream", join);
  CHECK(words == std::vector<std::string>{"/opt/slipstream", "node", "--name", "a", "--join", "[::1]:4711",
                                          "--heartbeat", "0.5", "--timeout", "0.02", "--patience", "60"});
  node.launch = "ssh";
  node.host = "far";
  node.program = "/home/my user/slipstream";
  node.threads = 4;
  nodes.certificate = "run.pem";
  nodes.key = "run.key";
  nodes.authority = "ca.pem";
  node.certificate = "a.pem";
  node.key = "a.key";
  words = launch_words(nodes, node, "/opt/slipstream", join);
  CHECK(words.front() == "ssh");
  const auto host = std::find(words.begin(), words.end(), "far");
  REQUIRE(words.end() - host > 2);
  CHECK(std::vector<std::string>(host + 1, host + 3) ==
        std::vector<std::string>{"'/home/my user/slipstream'", "'node'"});
  const auto has = [&](const std::string &word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  CHECK((has("BatchMode=yes") && has("'--tied'")));
  CHECK((has("'a.pem'") && has("'a.key'") && has("'ca.pem'") && has("'--threads'")));
  CHECK_FALSE(has("'run.key'"));  // each machine has its own
  node.launch = "srun";
  ::unsetenv("SLURM_JOB_NUM_NODES");
  words = launch_words(nodes, node, "/opt/slipstream", join);
  CHECK(words.front() == "srun");
  CHECK(has("--nodelist=far"));
  CHECK(has("/home/my user/slipstream"));  // no shell in between
  CHECK(has("--tied"));
}

TEST_CASE("the tasks of a Slurm job are spread over its machines, the launching one's last") {
  auto nodes = one_node("");
  nodes.members.resize(5, nodes.members.front());
  for (std::size_t i = 0; i < nodes.members.size(); ++i) {
    nodes.members[i].name = std::string(1, static_cast<char>('a' + i));
    nodes.members[i].launch = i == 1 ? "local" : "srun";
  }
  nodes.members[3].host = "here";
  ::setenv("SLURM_JOB_NUM_NODES", "2", 1);
  std::vector<std::string> places;
  for (const auto &node : nodes.members)
    for (const auto &word : launch_words(nodes, node, "x", {"h", 1}))
      if (word.rfind("--relative", 0) == 0 || word.rfind("--nodelist", 0) == 0) places.push_back(word);
  ::unsetenv("SLURM_JOB_NUM_NODES");
  CHECK(places ==
        std::vector<std::string>{"--relative=1", "--relative=0", "--nodelist=here", "--relative=1"});
}

TEST_CASE("why a node ended is what it said last, after it was started and beside what it does") {
  const test::scratch scratch;
  const auto log = scratch.path() / "a.log";
  const std::string old = "error: of an earlier start\n";
  std::ofstream(log) << old;
  CHECK(last_words(log, old.size()).empty());
  CHECK(last_words(scratch.path() / "none", 0).empty());
  std::ofstream(log, std::ios::app) << "node \"a\": runs sampler-1\n";
  CHECK(last_words(log, old.size()).empty());
  std::ofstream(log, std::ios::app) << "ssh: connect to host far port 22: Connection refused\r\n\n";
  CHECK(last_words(log, old.size()) == "ssh: connect to host far port 22: Connection refused");
  std::ofstream(log, std::ios::app) << "node \"a\": refused by the run: the run is ending\n";
  CHECK(last_words(log, old.size()) == "node \"a\": refused by the run: the run is ending");
  std::ofstream(log, std::ios::app) << "srun: error: n2: task 0: Killed\nsrun: Force Terminated StepId=4.0\n";
  CHECK(last_words(log, old.size()) == "srun: error: n2: task 0: Killed");
}

TEST_CASE("a node that fails is started again within its budget, one that ends well or is refused is not") {
  struct row {
    const char *script;
    std::size_t starts;
  };
  const auto [script, starts] = GENERATE(row{"exit 1", 3}, row{"kill -9 $$", 3}, row{"kill -STOP $$", 3},
                                         row{"exit 0", 1}, row{"exit 2", 1});
  CAPTURE(script);
  const test::scratch scratch;
  const auto program = scratch.path() / "program";
  std::ofstream(program) << "#!/bin/sh\necho started\n" << script << "\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  std::string said;
  {
    node_launcher launcher(one_node(program.string()), "", scratch.path() / "nodes",
                           [&](const std::string &line) { said += line + "\n"; });
    launcher.start({"127.0.0.1", 1});
    const auto count = [&] {
      const auto log = test::read_text(scratch.path() / "nodes" / "a.log");
      return static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n'));
    };
    while (count() < starts || (said.find("not started again") == std::string::npos && starts > 1)) {
      launcher.look_after();
      std::this_thread::yield();
    }
    for (int i = 0; i < 100; ++i) launcher.look_after();
    CHECK(count() == starts);
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // nobody is left
}

TEST_CASE("a node that does not end is ended") {
  const test::scratch scratch;
  const auto program = scratch.path() / "program";
  std::ofstream(program) << "#!/bin/sh\ntrap '' TERM\necho $$\nwhile :; do sleep 1; done\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  {
    node_launcher launcher(one_node(program.string()), "", scratch.path() / "nodes",
                           [](const std::string &) {});
    launcher.start({"127.0.0.1", 1});
    while (test::read_text(scratch.path() / "nodes" / "a.log").find('\n') == std::string::npos)
      std::this_thread::yield();
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a program that is not here is a clear error") {
  auto nodes = one_node("");
  nodes.members.front().launch = "srun";
  nodes.members.front().at = {"t.toml", 3, 1};
  const test::scratch scratch;
  node_launcher launcher(nodes, "x", scratch.path() / "nodes", [](const std::string &) {});
  if (std::filesystem::exists("/usr/bin/srun")) return;
  CHECK_THROWS_WITH(launcher.start({"127.0.0.1", 1}), test::Contains("t.toml:3:1: error: [nodes.a] launch"));
}

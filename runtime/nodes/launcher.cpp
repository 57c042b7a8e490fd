#include "runtime/nodes/launcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <utility>

#include "models/error.hpp"
#include "runtime/plumbing/child_process.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

using namespace std::chrono_literals;

void add(std::vector<std::string> &words, const std::string &option, const std::string &value) {
  if (value.empty()) return;
  words.push_back(option);
  words.push_back(value);
}

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Counts the nodes before this one that Slurm may put on any machine.
int index_in_job(const nodes_config &nodes, const node_config &node) {
  int before = 0;
  for (const auto &other : nodes.members) {
    if (other.name == node.name) break;
    before += other.launch == "srun" && other.host.empty();
  }
  return before;
}

std::string seconds(std::int64_t ms) {
  return fmt::format("{}", static_cast<double>(ms) / 1000);
}

}  // namespace

std::string shell_word(const std::string &word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> launch_words(const nodes_config &nodes, const node_config &node,
                                      const std::string &program, const endpoint &join) {
  std::vector<std::string> words{node.program.empty() ? program : node.program, "node"};
  add(words, "--name", node.name);
  add(words, "--join", to_string(join));
  add(words, "--certificate", node.certificate.empty() ? nodes.certificate : node.certificate);
  add(words, "--key", node.key.empty() ? nodes.key : node.key);
  add(words, "--authority", nodes.authority);
  add(words, "--heartbeat", seconds(nodes.heartbeat_ms));
  add(words, "--timeout", seconds(nodes.timeout_ms));
  add(words, "--patience", seconds(nodes.patience_ms));
  if (node.threads > 0) add(words, "--threads", std::to_string(node.threads));
  std::vector<std::string> before;
  if (node.launch != "local") words.push_back("--tied");  // the kernel ends local ones with us
  if (node.launch == "ssh") {
    // ssh asks nobody, and gives up on a machine that does not answer and on one that is gone
    before = {"ssh"};
    for (const auto *option :
         {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=4"})
      add(before, "-o", option);
    before.push_back(node.host);
    for (auto &word : words) word = shell_word(word);  // a shell over there reads them
  } else if (node.launch == "srun") {
    before = {"srun", "--nodes=1", "--ntasks=1", "--job-name=slipstream-" + node.name};
    const auto machines = std::max(0, std::atoi(variable("SLURM_JOB_NUM_NODES").c_str()));
    if (machines > 0) before.push_back("--immediate=10");  // a step that finds no room would wait for ever
    if (!node.host.empty())
      before.push_back("--nodelist=" + node.host);
    else if (machines > 0)  // the job's first machine, where the learner is, comes last
      before.push_back(fmt::format("--relative={}", (index_in_job(nodes, node) + 1) % machines));
  }
  words.insert(words.begin(), before.begin(), before.end());
  return words;
}

std::string last_words(const std::filesystem::path &log, std::uintmax_t begin) {
  std::ifstream file(log);
  file.seekg(static_cast<std::streamoff>(begin));
  std::string last, error;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
    const bool works = line.rfind("node \"", 0) == 0 && line.find("refused") == std::string::npos;
    if (line.empty() || works) continue;
    last = line;
    if (line.find("error") != std::string::npos) error = line;  // srun goes on talking
  }
  return (error.empty() ? last : error).substr(0, 300);
}

node_launcher::node_launcher(nodes_config nodes, std::string program, std::filesystem::path folder,
                             std::function<void(const std::string &)> say)
    : nodes_(std::move(nodes)),
      program_(std::move(program)),
      folder_(std::move(folder)),
      say_(std::move(say)) {}

node_launcher::~node_launcher() {
  finish(0ms);
  ::close(tie_[0]);
}

void node_launcher::let_go() {
  if (tie_[1] >= 0) ::close(std::exchange(tie_[1], -1));
}

void node_launcher::start(const endpoint &join) {
  join_ = join;
  make_folder(folder_);
  if (::pipe2(tie_, O_CLOEXEC) != 0) throw run_error("no pipe can be made for the nodes' processes");
  for (const auto &node : nodes_.members) {
    if (node.launch == "none" || !node.address.empty()) continue;
    if (node.launch != "local" && !program_exists(node.launch))
      fail_at(node.at,
              fmt::format("[nodes.{}] launch = \"{}\", and there is no such program here; install it, "
                          "or start the node by hand with launch = \"none\"",
                          node.name, node.launch));
    start(node, children_[node.name]);
  }
}

void node_launcher::start(const node_config &node, child &process) {
  const auto log = folder_ / (node.name + ".log");
  std::error_code none_yet;
  const auto length = std::filesystem::file_size(log, none_yet);
  process.log_begins = none_yet ? 0 : length;
  process.pid = start_child(
      {launch_words(nodes_, node, program_, join_), {}, log, node.launch == "local" ? -1 : tie_[0]});
  process.due = {};
  process.stopped.reset();
}

void node_launcher::ended(const node_config &node, child &process, int wait_status) {
  process.pid = 0;
  const auto code = exit_code(wait_status);
  if (ending_) return;
  process.over = code == 0 || code == 2 || code == 127 || process.restarts >= node.restarts;
  if (code == 0) return;
  const auto log = folder_ / (node.name + ".log");
  const auto words = last_words(log, process.log_begins);
  const auto more = (words.empty() ? "" : " (" + words + ")") + ", see " + log.string();
  if (process.over)
    return say_(
        fmt::format("node \"{}\" ended with exit code {} and is not started again{}{}", node.name, code,
                    code == 2 || code == 127 ? "" : fmt::format(" (restarts = {})", node.restarts), more));
  const auto pause =
      std::min<std::chrono::milliseconds>(200ms * (1 << std::min<std::int64_t>(process.restarts, 6)), 10s);
  process.due = std::chrono::steady_clock::now() + pause;
  ++process.restarts;
  say_(fmt::format("node \"{}\" ended with exit code {}; starting it again ({} of {}){}", node.name, code,
                   process.restarts, node.restarts, more));
}

bool node_launcher::collect() {
  bool any = false;
  for (const auto &node : nodes_.members) {
    const auto found = children_.find(node.name);
    if (found == children_.end() || found->second.pid == 0) continue;
    auto &process = found->second;
    int status = 0;
    const bool news = ::waitpid(process.pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == process.pid;
    if (news && !WIFSTOPPED(status) && !WIFCONTINUED(status)) {
      ended(node, process, status);
      continue;
    }
    any = true;
    if (news && WIFSTOPPED(status)) process.stopped = std::chrono::steady_clock::now();
    if (news && WIFCONTINUED(status)) process.stopped.reset();
  }
  return any;
}

void node_launcher::end_stopped(const node_config &node, child &process) {
  const std::chrono::milliseconds timeout(nodes_.timeout_ms);
  if (process.pid == 0 || !process.stopped || std::chrono::steady_clock::now() - *process.stopped < timeout)
    return;
  say_(fmt::format("node \"{}\" (process {}) has been stopped for {} s; it is killed", node.name, process.pid,
                   seconds(nodes_.timeout_ms)));
  ::kill(-process.pid, SIGKILL);
  process.stopped.reset();  // it is reported once
}

void node_launcher::look_after() {
  collect();
  for (const auto &node : nodes_.members) {
    const auto found = children_.find(node.name);
    if (found == children_.end()) continue;
    auto &process = found->second;
    end_stopped(node, process);
    if (process.pid == 0 && !process.over && std::chrono::steady_clock::now() >= process.due)
      start(node, process);
  }
}

void node_launcher::finish(std::chrono::milliseconds grace) {
  ending_ = true;
  const auto wait_for_all = [this](std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (collect()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(20ms);
    }
    return true;
  };
  let_go();
  if (wait_for_all(grace)) return;
  for (const auto signal : {SIGTERM, SIGKILL}) {
    for (const auto &[name, process] : children_)
      if (process.pid > 0) {
        ::kill(-process.pid, signal);
        ::kill(-process.pid, SIGCONT);  // a stopped process gets the signal, too
      }
    if (wait_for_all(2s)) return;
  }
}

}  // namespace slipstream

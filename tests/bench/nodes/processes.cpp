#include "tests/bench/nodes/processes.hpp"

#include <ATen/core/Tensor.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "models/error.hpp"

namespace slipstream::bench {

child::child(std::vector<std::string> words, const std::string &network) {
  words.insert(words.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
  if (!network.empty()) words.insert(words.begin(), {"ip", "netns", "exec", network});
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw run_error("no pipes");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    std::vector<char *> list;
    for (auto &word : words) list.push_back(word.data());
    list.push_back(nullptr);
    ::execvp(list[0], list.data());
    ::_exit(127);
  }
  ::close(in[0]), ::close(out[1]);
  in_ = in[1], out_ = ::fdopen(out[0], "r");
}

child::~child() {
  ::close(in_);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  std::fclose(out_);
}

void child::say(std::string line) {
  line += '\n';
  (void)!::write(in_, line.data(), line.size());
}

std::string child::line() {
  std::string text;
  for (int letter = std::fgetc(out_); letter != '\n'; letter = std::fgetc(out_)) {
    if (letter == EOF) throw run_error("a process of the benchmark has ended");
    text += static_cast<char>(letter);
  }
  if (text.starts_with("failed")) throw run_error(text);
  return text;
}

nlohmann::json child::figures() {
  say("figures");
  return nlohmann::json::parse(line());
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double group::round_again() {
  round();
  times.pop_back();
  return round();
}

double group::round() {
  const auto begin = std::chrono::steady_clock::now();
  server->say("publish");
  for (const auto &receiver : receivers) receiver->line();
  times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return times.back();
}

std::vector<std::string> words(const arguments &chosen, const std::string &role, const std::string &place) {
  std::vector<std::string> all{"--role",      role,
                               "--place",     place,
                               "--megabytes", std::to_string(chosen.megabytes),
                               "--rounds",    std::to_string(chosen.rounds)};
  if (chosen.shared) all.push_back("--shared");
  if (chosen.half) all.push_back("--half");
  if (!chosen.keep) all.push_back("--copy");
  if (chosen.touch) all.push_back("--touch");
  if (!chosen.spool.empty()) all.insert(all.end(), {"--spool", chosen.spool});
  if (!chosen.files.empty()) all.insert(all.end(), {"--files", chosen.files});
  return all;
}

group pair_of(const arguments &chosen, const std::string &server, const std::string &receiver) {
  group made;
  made.server = std::make_unique<child>(words(chosen, server, "127.0.0.1:0"));
  const auto place = made.server->line();
  made.receivers.push_back(std::make_unique<child>(words(chosen, receiver, place)));
  made.receivers[0]->line();
  return made;
}

group tree_of(const arguments &chosen, std::int64_t count, std::int64_t fanout, const std::string &network) {
  const auto host = [&](std::int64_t node) {
    return network.empty() ? std::string("127.0.0.1:0") : fmt::format("10.213.7.{}:{}", node + 1, 7000);
  };
  const auto start = [&](std::int64_t node, std::vector<std::string> all) {
    if (!chosen.files.empty()) all.insert(all.end(), {"--name", "node" + std::to_string(node)});
    return std::make_unique<child>(all, network.empty() ? "" : network + std::to_string(node));
  };
  group made;
  made.server = start(0, words(chosen, "serve", host(0)));
  std::vector<std::string> places{made.server->line()};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto parent = fanout == 0 ? 0 : relay_parent(i, fanout) + 1;
    auto all = words(chosen, "receive", places[static_cast<std::size_t>(parent)]);
    if (fanout > 0) all.insert(all.end(), {"--relay", host(i + 1)});
    made.receivers.push_back(start(i + 1, all));
    places.push_back(made.receivers.back()->line());
  }
  return made;
}

}  // namespace slipstream::bench

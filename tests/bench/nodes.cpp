#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/wire/certificates.hpp"
#include "runtime/wire/weight_stream.hpp"

// The weight streams between processes of this machine, against what the machine can do: each pair of figures
// is taken in turns in one run. The processes are this program, told over pipes when to publish.
namespace {

using namespace slipstream;
using nlohmann::json;
using seconds = std::chrono::duration<double>;

struct arguments {
  std::string role, place, relay, files, name;
  std::int64_t megabytes = 256, rounds = 7;
  bool shared = false, keep = true, half = false, links = true;
  std::int64_t elements() const { return megabytes * (1 << 20) / 4; }
  wire_security security() const {
    if (files.empty()) return {};
    const std::filesystem::path folder = files;
    return {folder / (name + ".pem"), folder / (name + ".key"), folder / "ca.pem", {}};
  }
  wire_limits limits() const {
    wire_limits result;
    result.shared_memory = shared;
    result.transit = half ? wire_type::bfloat16 : wire_type::float32;
    return result;
  }
};

void tell(const std::string &line) {
  std::cout << line << std::endl;
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

/// Kilobytes of this process, as the kernel counts them: anonymous and shared memory now, and the most at any
/// time.
json memory() {
  std::ifstream file("/proc/self/status");
  json result;
  for (std::string word; file >> word;)
    for (const char *wanted : {"VmHWM:", "RssAnon:", "RssShmem:"})
      if (word == wanted) {
        std::int64_t kilobytes = 0;
        file >> kilobytes;
        result[std::string(wanted, std::strlen(wanted) - 1)] = kilobytes;
      }
  return result;
}

/// Two versions in turn, so that no chunk is as before.
std::vector<at::Tensor> two_versions(std::int64_t elements) {
  return {at::rand({elements}), at::rand({elements})};
}

int serve(const arguments &chosen) {
  weight_server server(parse_endpoint(chosen.place, "place"), chosen.security(), chosen.limits());
  const auto values = two_versions(chosen.elements());
  tell(to_string(server.address()));
  std::int64_t version = 0;
  for (std::string word; std::cin >> word;) {
    if (word == "publish")
      server.publish({"policy", version, values[static_cast<std::size_t>(version % 2)]}), ++version;
    if (word == "figures") {
      auto all = server.figures();
      all["cpu_seconds"] = cpu_seconds();
      tell(all.dump());
    }
  }
  return 0;
}

int receive(const arguments &chosen) {
  weight_client_options options;
  options.parents = {parse_endpoint(chosen.place, "place")};
  options.security = chosen.security();
  options.models = {{"policy", chosen.elements()}};
  options.limits = chosen.limits();
  if (!chosen.relay.empty())
    options.relay_listen = std::make_shared<const endpoint>(parse_endpoint(chosen.relay, "relay"));
  const auto before = memory();
  at::Tensor in_use;
  weight_client client(
      options,
      [&](weight_version next) {
        if (chosen.keep) in_use = std::move(next.flat);
        tell("got");
      },
      [](const std::string &why) { tell("failed " + why); });
  tell(chosen.relay.empty() ? "leaf" : to_string(client.relay_address()));
  for (std::string word; std::cin >> word;)
    if (word == "figures") {
      if (in_use.defined()) in_use.sum();  // every page of it is looked at
      auto all = client.figures();
      all["before"] = before;
      all["after"] = memory();
      all["cpu_seconds"] = cpu_seconds();
      tell(all.dump());
    }
  return 0;
}

sockaddr_in address_of(const endpoint &place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, place.host.c_str(), &address.sin_addr);
  address.sin_port = htons(place.port);
  return address;
}

/// A bare socket: the bytes of a tensor, in pieces of 1 MiB, without a word about them.
int serve_bare(const arguments &chosen) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = address_of({"127.0.0.1", 0});
  socklen_t size = sizeof address;
  (void)!::bind(listener, reinterpret_cast<sockaddr *>(&address), size);
  (void)!::listen(listener, 1);
  ::getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size);
  tell("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  const int socket = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto values = two_versions(chosen.elements());
  std::size_t version = 0;
  for (std::string word; std::cin >> word;) {
    const auto *at = static_cast<const char *>(values[version++ % 2].data_ptr());
    for (std::int64_t left = chosen.elements() * 4; left > 0;) {
      const auto sent =
          ::send(socket, at, static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 20)), 0);
      if (sent <= 0) return 1;
      at += sent, left -= sent;
    }
  }
  return 0;
}

int receive_bare(const arguments &chosen) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto address = address_of(parse_endpoint(chosen.place, "place"));
  if (::connect(socket, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) return 1;
  tell("leaf");
  // Two buffers in turn, as a receiver whose user holds the last version has them.
  const std::vector<at::Tensor> values{at::zeros({chosen.elements()}), at::zeros({chosen.elements()})};
  for (std::size_t version = 0;; ++version) {
    auto *at = static_cast<char *>(values[version % 2].data_ptr());
    for (std::int64_t left = chosen.elements() * 4; left > 0;) {
      const auto got =
          ::recv(socket, at, static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 20)), MSG_WAITALL);
      if (got <= 0) return 0;
      at += got, left -= got;
    }
    tell("got");
  }
}

/// This program in another role, and pipes to it.
class child {
 public:
  explicit child(std::vector<std::string> words, const std::string &network = "") {
    words.insert(words.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
    if (!network.empty()) words.insert(words.begin(), {"ip", "netns", "exec", network});
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipes");
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
  ~child() {
    ::close(in_);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(out_);
  }
  child(const child &) = delete;
  child &operator=(const child &) = delete;

  void say(std::string line) {
    line += '\n';
    (void)!::write(in_, line.data(), line.size());
  }
  std::string line() {
    std::string text;
    for (int letter = std::fgetc(out_); letter != '\n'; letter = std::fgetc(out_)) {
      if (letter == EOF) throw std::runtime_error("a process of the benchmark has ended");
      text += static_cast<char>(letter);
    }
    if (text.starts_with("failed")) throw std::runtime_error(text);
    return text;
  }
  json figures() {
    say("figures");
    return json::parse(line());
  }

 private:
  pid_t pid_;
  int in_;
  std::FILE *out_;
};
using child_ptr = std::unique_ptr<child>;

/// A server and its receivers.
struct group {
  child_ptr server;
  std::vector<child_ptr> receivers;
  std::vector<double> times;

  /// Seconds from publishing to the last receiver's having it.
  double round() {
    const auto begin = std::chrono::steady_clock::now();
    server->say("publish");
    for (const auto &receiver : receivers) receiver->line();
    times.push_back(seconds(std::chrono::steady_clock::now() - begin).count());
    return times.back();
  }
  double median() const {
    auto sorted = times;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

std::vector<std::string> words(const arguments &chosen, const std::string &role, const std::string &place) {
  std::vector<std::string> all{"--role", role,          "--place",
                               place,    "--megabytes", std::to_string(chosen.megabytes)};
  if (chosen.shared) all.push_back("--shared");
  if (chosen.half) all.push_back("--half");
  if (!chosen.keep) all.push_back("--copy");
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

/// `fanout` 0: all take from the server. `network`: node i lives in the network of that name and i, at
/// host(i).
group tree_of(const arguments &chosen, std::int64_t count, std::int64_t fanout,
              const std::string &network = "") {
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

double memcpy_seconds(const arguments &chosen) {
  static const auto values = two_versions(chosen.elements());
  static const auto to = at::zeros({chosen.elements()});
  static std::size_t version = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::memcpy(to.data_ptr(), values[version++ % 2].data_ptr(),
              static_cast<std::size_t>(chosen.elements()) * 4);
  return seconds(std::chrono::steady_clock::now() - begin).count();
}

void show(const char *what, double time, double megabytes, const std::string &more = "") {
  fmt::print("{:<44} {:8.1f} ms {:9.0f} MB/s  {}\n", what, time * 1e3, megabytes / time, more);
  std::fflush(stdout);
}

std::string ratio(double own, double other, const char *what) {
  return fmt::format("{:.2f} of {}", other / own, what);
}

void one_receiver(arguments chosen) {
  const auto megabytes = static_cast<double>(chosen.megabytes);
  group bare = pair_of(chosen, "serve-bare", "receive-bare"), stream = pair_of(chosen, "serve", "receive");
  chosen.half = true;
  group half = pair_of(chosen, "serve", "receive");
  chosen.half = false, chosen.shared = true;
  group memory = pair_of(chosen, "serve", "receive");
  std::vector<group *> all{&bare, &stream, &half, &memory};
  for (auto *one : all)
    for (int i = 0; i < 3; ++i) one->round();  // memory is touched, windows have grown
  for (auto *one : all) one->times.clear();
  std::vector<double> copies;
  memcpy_seconds(chosen);
  for (std::int64_t i = 0; i < chosen.rounds; ++i) {
    copies.push_back(memcpy_seconds(chosen));
    for (auto *one : all) one->round();
  }
  std::sort(copies.begin(), copies.end());
  const double copy = copies[copies.size() / 2];
  show("memcpy", copy, megabytes);
  show("shared memory, one process", memory.median(), megabytes, ratio(memory.median(), copy, "memcpy"));
  show("bare socket", bare.median(), megabytes);
  show("stream, float32", stream.median(), megabytes,
       ratio(stream.median(), bare.median(), "the bare socket"));
  show("stream, bfloat16", half.median(), megabytes,
       ratio(half.median(), bare.median(), "the bare socket (twice the bytes)"));
}

void receiver_memory(arguments chosen) {
  for (const bool shared : {false, true})
    for (const bool keep : {true, false}) {
      chosen.shared = shared, chosen.keep = keep;
      group one = pair_of(chosen, "serve", "receive");
      for (int i = 0; i < 5; ++i) one.round();
      const auto figures = one.receivers[0]->figures();
      const auto most =
          (figures["after"]["VmHWM"].get<std::int64_t>() - figures["before"]["VmHWM"].get<std::int64_t>()) >>
          10;
      fmt::print("memory of a receiver, {:<6} {:<34} weights {} MB, at most {:+} MB more\n",
                 shared ? "shared" : "stream",
                 keep ? "user holds the last version:" : "user copies onward, holds none:", chosen.megabytes,
                 most - chosen.megabytes);
    }
}

void broadcast(const arguments &chosen, const std::string &network, const char *where) {
  const auto megabytes = static_cast<double>(chosen.megabytes);
  struct shape {
    const char *name;
    std::int64_t fanout;
  };
  double star = 0;
  for (const auto &[name, fanout] :
       {shape{"8 sends from one", 0}, shape{"tree, fan-out 2", 2}, shape{"chain", 1}}) {
    group all = tree_of(chosen, 8, fanout, network);
    all.round();
    all.times.clear();
    const auto before = all.server->figures();
    const auto rounds = std::max<std::int64_t>(1, chosen.rounds / 2);
    for (std::int64_t i = 0; i < rounds; ++i) all.round();
    const auto after = all.server->figures();
    const auto sent = static_cast<double>(after["bytes_sent"].get<std::int64_t>() -
                                          before["bytes_sent"].get<std::int64_t>());
    const double busy = (after["cpu_seconds"].get<double>() - before["cpu_seconds"].get<double>()) /
                        static_cast<double>(rounds);
    if (fanout == 0) star = all.median();
    show(fmt::format("8 processes, {}: {}", where, name).c_str(), all.median(), megabytes,
         fmt::format(
             "{:.1f} times eight sends; the learner sent {:.1f} times the weights in {:.0f} ms of CPU",
             star / all.median(), sent / static_cast<double>(rounds) / (megabytes * (1 << 20)), busy * 1e3));
  }
}

bool works(const std::string &command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

/// Nine networks, each with a link of `megabits` a second out of it, on one bridge.
class networks {
 public:
  networks(std::int64_t count, std::int64_t megabits) : count_(count) {
    good_ = works("ip link add slbench type bridge && ip link set slbench up");
    for (std::int64_t i = 0; good_ && i < count; ++i)
      good_ = works(fmt::format(
          "ip netns add slbench{0} && ip link add slb{0} type veth peer name eth0 netns slbench{0} && "
          "ip link set slb{0} master slbench up && ip -n slbench{0} addr add 10.213.7.{1}/24 dev eth0 && "
          "ip -n slbench{0} link set eth0 up && ip -n slbench{0} link set lo up && "
          "tc -n slbench{0} qdisc add dev eth0 root tbf rate {2}mbit burst 256kb latency 50ms",
          i, i + 1, megabits));
  }
  ~networks() {
    for (std::int64_t i = 0; i < count_; ++i) works(fmt::format("ip netns del slbench{}", i));
    works("ip link del slbench");
  }
  bool good() const { return good_; }

 private:
  std::int64_t count_;
  bool good_;
};

void broadcast_over_links(arguments chosen) {
  constexpr std::int64_t megabits = 100;
  const networks made(9, megabits);
  if (!made.good()) {
    fmt::print("8 processes, each behind a link: left out, network namespaces need root, ip and tc\n");
    return;
  }
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("slipstream-bench-{}", ::getpid());
  std::vector<std::string> names;
  for (int i = 0; i < 9; ++i) names.push_back("node" + std::to_string(i));
  make_certificates(folder, names);
  chosen.files = folder;
  chosen.megabytes = 16, chosen.rounds = 2;
  broadcast(chosen, "slbench", fmt::format("TLS, links of {} Mbit/s", megabits).c_str());
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char **argv) {
  arguments chosen;
  CLI::App app("weights between processes");
  app.add_option("--role", chosen.role);
  app.add_option("--place", chosen.place);
  app.add_option("--relay", chosen.relay);
  app.add_option("--files", chosen.files);
  app.add_option("--name", chosen.name);
  app.add_option("--megabytes", chosen.megabytes, "of the weights (default: 256)");
  app.add_option("--rounds", chosen.rounds, "of each measurement (default: 7)");
  app.add_flag("--shared", chosen.shared);
  app.add_flag("--half", chosen.half);
  bool copy = false;
  app.add_flag("--copy", copy);
  CLI11_PARSE(app, argc, argv);
  chosen.keep = !copy;
  std::signal(SIGPIPE, SIG_IGN);
  if (chosen.role == "serve") return serve(chosen);
  if (chosen.role == "receive") return receive(chosen);
  if (chosen.role == "serve-bare") return serve_bare(chosen);
  if (chosen.role == "receive-bare") return receive_bare(chosen);
  fmt::print("{} MB of weights, medians of {} rounds\n", chosen.megabytes, chosen.rounds);
  one_receiver(chosen);
  receiver_memory(chosen);
  broadcast(chosen, "", "loopback");
  broadcast_over_links(chosen);
}

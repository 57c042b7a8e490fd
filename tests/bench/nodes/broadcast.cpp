#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "runtime/wire/certificates.hpp"
#include "tests/bench/nodes/measurements.hpp"
#include "tests/bench/nodes/processes.hpp"

namespace slipstream::bench {
namespace {

void broadcast(const arguments &chosen, const std::string &network, const std::string &where) {
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
    show(fmt::format("8 processes, {}: {}", where, name), all.median(), megabytes,
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
  networks(const networks &) = delete;
  networks &operator=(const networks &) = delete;
  bool good() const { return good_; }

 private:
  std::int64_t count_;
  bool good_;
};

}  // namespace

void broadcast_here(const arguments &chosen) {
  broadcast(chosen, "", "loopback");
}

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
  broadcast(chosen, "slbench", fmt::format("TLS, links of {} Mbit/s", megabits));
  std::filesystem::remove_all(folder);
}

}  // namespace slipstream::bench

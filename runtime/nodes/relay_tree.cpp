#include "runtime/nodes/relay_tree.hpp"

#include <filesystem>
#include <fstream>
#include <map>

#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

std::vector<std::vector<endpoint>> relay_parents(const std::vector<relay_node> &relays, std::int64_t fanout) {
  std::vector<std::vector<endpoint>> parents(relays.size());
  std::vector<std::size_t> heads;  // the first of each machine
  std::map<std::string, std::size_t> head_of;
  for (std::size_t i = 0; i < relays.size(); ++i) {
    const auto [head, first] = head_of.emplace(relays[i].machine, i);
    auto above = static_cast<std::int64_t>(head->second);
    if (first) {
      const auto parent = relay_parent(static_cast<std::int64_t>(heads.size()), fanout);
      heads.push_back(i);
      above = parent < 0 ? -1 : static_cast<std::int64_t>(heads[static_cast<std::size_t>(parent)]);
    }
    if (above < 0) continue;
    const auto from = static_cast<std::size_t>(above);
    parents[i] = parents[from];
    parents[i].insert(parents[i].begin(), relays[from].address);
  }
  return parents;
}

std::string machine_key() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::error_code ignored;
  return boot + " " + std::filesystem::read_symlink("/proc/self/ns/net", ignored).string();
}

}  // namespace slipstream

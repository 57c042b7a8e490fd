#include "runtime/nodes/relay_tree.hpp"

#include "runtime/wire/tunnel.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

relay_node relay(const std::string &node, const std::string &machine) {
  return {node, machine, {node, 7000}};
}

std::vector<std::string> hosts(const std::vector<endpoint> &parents) {
  std::vector<std::string> names;
  for (const auto &one : parents) names.push_back(one.host);
  return names;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("relays form a chain by default; whoever loses its parent goes on with the one above") {
  const auto parents = relay_parents({relay("a", "1"), relay("b", "2"), relay("c", "3")}, 1);
  CHECK(hosts(parents[0]).empty());
  CHECK(hosts(parents[1]) == names{"a"});
  CHECK(hosts(parents[2]) == names{"b", "a"});
}

TEST_CASE("with more than one reader a relay is a tree") {
  std::vector<relay_node> relays;
  for (int i = 0; i < 7; ++i) relays.push_back(relay(std::to_string(i), std::to_string(i)));
  const auto parents = relay_parents(relays, 2);
  CHECK(hosts(parents[0]).empty());
  CHECK(hosts(parents[1]).empty());
  CHECK(hosts(parents[2]) == names{"0"});
  CHECK(hosts(parents[5]) == names{"1"});
  CHECK(hosts(parents[6]) == names{"2", "0"});
}

TEST_CASE("the first node of a machine has a position in the tree, the others take from it") {
  const auto parents = relay_parents({relay("a", "1"), relay("b", "1"), relay("c", "2"), relay("d", "1")}, 1);
  CHECK(hosts(parents[1]) == names{"a"});
  CHECK(hosts(parents[2]) == names{"a"});
  CHECK(hosts(parents[3]) == names{"a"});
}

TEST_CASE("nobody asks who came later, whoever goes") {
  std::vector<relay_node> relays;
  for (int i = 0; i < 9; ++i) relays.push_back(relay(std::to_string(i), std::to_string(i % 5)));
  for (const std::int64_t fanout : {1, 2, 3})
    for (auto left = relays; !left.empty(); left.erase(left.begin() + static_cast<long>(left.size() / 2))) {
      const auto parents = relay_parents(left, fanout);
      for (std::size_t i = 0; i < left.size(); ++i)
        for (const auto &above : parents[i]) CHECK(std::stoi(above.host) < std::stoi(left[i].node));
    }
}

TEST_CASE("a process knows its own address on the way to another") {
  CHECK(address_towards({"127.0.0.1", 7000}) == "127.0.0.1");
  CHECK(address_towards({"::1", 7000}) == "::1");
  CHECK(address_towards({"no such host", 7000}) == any_address);
  CHECK_FALSE(machine_key().empty());
  CHECK(machine_key() == machine_key());
}

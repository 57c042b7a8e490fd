// A run's end of the links to its nodes: who runs where, and what it survives.
#include "actors/nodes/host.hpp"

#include <caf/all.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/nodes/links.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;

// CAF answers a message that a peer drops, as these do, with an error.
TEST_CASE(
    "processes.json has a replica whose node came before it was placed, or after, and dropped its order") {
  const test::scratch folder;
  test::virtual_time world;
  const auto nobody = [&] {
    return world.spawn<caf::actor>([](caf::event_based_actor *self) {
      self->set_default_handler(caf::drop);
      return caf::behavior{[](tick_atom) {}};
    });
  };
  host_setup setup;
  setup.nodes.members = {{.name = "a"}, {.name = "b"}};
  setup.orders = {{"sampler-1", "order"}, {"sampler-2", "order"}};
  setup.learner = "learner";
  setup.processes = folder.path() / "processes.json";
  setup.say = [](const std::string &) {};
  const auto host = world.own(spawn_node_host(world.system(), setup));
  const auto come = [&](const std::string &name, std::int64_t pid) {
    caf::anon_send(host, hello_atom::value, link_version, name, pid, nobody());
    world.settle();
  };
  const auto place = [&](const std::string &label, const std::string &name) {
    caf::anon_send(host, place_atom::value, label, "sampler", name, nobody());
    world.settle();
  };
  come("a", 11);
  place("sampler-1", "a");
  place("sampler-2", "b");
  come("b", 12);
  const auto written = nlohmann::json::parse(std::ifstream(setup.processes));
  CHECK(written.at("sampler-1") == 11);
  CHECK(written.at("sampler-2") == 12);
  CHECK(written.contains("learner"));
}

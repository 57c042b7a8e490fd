// Who runs where, as the run's folder tells it.
#include "actors/nodes/host.hpp"

#include <caf/all.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/nodes/links.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;

TEST_CASE("processes.json has a replica whose node came before it was placed, or after") {
  const test::scratch folder;
  test::virtual_time world;
  const auto silent = [] { return caf::behavior{[](const caf::error &) {}}; };
  host_setup setup;
  setup.nodes.places = {{.name = "a"}, {.name = "b"}};
  setup.orders = {{"sampler-1", "order"}, {"sampler-2", "order"}};
  setup.learner = "learner";
  setup.processes = folder.path() / "processes.json";
  setup.say = [](const std::string &) {};
  const auto host = world.own(spawn_node_host(world.system(), setup));
  const auto come = [&](const std::string &name, std::int64_t pid) {
    const auto peer = world.spawn<caf::actor>([&silent](caf::event_based_actor *self) {
      self->set_default_handler(caf::drop);
      return silent();
    });
    caf::anon_send(host, hello_atom::value, link_version, name, pid, peer);
    world.settle();
  };
  const auto place = [&](const std::string &label, const std::string &name) {
    caf::anon_send(host, place_atom::value, label, "sampler", name, world.spawn<caf::actor>(silent));
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

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>
#include <map>

#include "tests/bench/nodes/measurements.hpp"

// The weight streams and the actors' messages between processes of this machine, against what the machine can
// do: each pair of figures is taken in turns in one run. The processes are this program in other roles.
int main(int argc, char **argv) {
  using namespace slipstream::bench;
  arguments chosen;
  std::vector<std::string> wanted;
  const std::map<std::string, std::function<void(const arguments &)>> measurements{
      {"one-receiver", one_receiver}, {"costs", central_costs},      {"memory", receiver_memory},
      {"control", control_messages},  {"broadcast", broadcast_here}, {"links", broadcast_over_links}};
  const std::map<std::string, std::function<int(const arguments &)>> roles{
      {"serve", serve},
      {"receive", receive},
      {"serve-bare", serve_bare},
      {"receive-bare", receive_bare},
      {"control-run", control_run},
      {"control-node", control_node},
      {"spin", [](const arguments &) { return spin(); }}};
  CLI::App app("weights and messages between processes");
  app.add_option("measurement", wanted,
                 "one-receiver, control, memory, costs, broadcast, links; runs are nodes.py's (default: all)")
      ->check(CLI::IsMember({"one-receiver", "control", "memory", "costs", "broadcast", "links", "runs"}));
  app.add_option("--role", chosen.role);
  app.add_option("--place", chosen.place);
  app.add_option("--relay", chosen.relay);
  app.add_option("--files", chosen.files);
  app.add_option("--name", chosen.name);
  app.add_option("--megabytes", chosen.megabytes, "of the weights (default: 256)");
  app.add_option("--rounds", chosen.rounds, "of each measurement (default: 7)");
  app.add_option("--spool", chosen.spool,
                 "a folder on a disk that versions arrive in (default: memory; of `memory`: /var/tmp)");
  app.add_flag("--shared", chosen.shared);
  app.add_flag("--half", chosen.half);
  app.add_flag("--touch", chosen.touch);
  bool copy = false;
  app.add_flag("--copy", copy);
  CLI11_PARSE(app, argc, argv);
  chosen.keep = !copy;
  std::signal(SIGPIPE, SIG_IGN);
  if (!chosen.role.empty()) return roles.at(chosen.role)(chosen);
  if (wanted.empty()) wanted = {"one-receiver", "control", "memory", "costs", "broadcast", "links"};
  std::erase(wanted, "runs");
  if (wanted.empty()) return 0;
  fmt::print("{} MB of weights, medians of {} rounds\n", chosen.megabytes, chosen.rounds);
  for (const auto &name : wanted) measurements.at(name)(chosen);
}

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "actors/commands/rows.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/wire/certificates.hpp"

namespace slipstream {

command certs_row() {
  return row<certs_arguments>("certs", "make a private authority and certificates for nodes",
                              [](CLI::App &app, certs_arguments &arguments) {
                                app.add_option("names", arguments.names, "the nodes' names")->required();
                                app.add_option("--to", arguments.to, "folder to write to")->required();
                                app.add_option("--days", arguments.days,
                                               "days until the certificates expire (default: 825)")
                                    ->check(CLI::Range(1, 36500));
                                app.add_flag("--json", arguments.json, "print what was made as JSON");
                              });
}

int execute(const certs_arguments &arguments) {
  if (!arguments.json) results_are_files();
  make_certificates(arguments.to, arguments.names, static_cast<int>(arguments.days));
  if (arguments.json) {
    nlohmann::json made = {{"authority", arguments.to / "ca.pem"}};
    for (const auto &name : arguments.names)
      made["nodes"][name] = {{"certificate", arguments.to / (name + ".pem")},
                             {"key", arguments.to / (name + ".key")}};
    fmt::print("{}\n", made.dump());
    return 0;
  }
  for (const auto &name : arguments.names)
    say(fmt::format("{} and {}: for node {}, with {}\n", (arguments.to / (name + ".pem")).string(),
                    (arguments.to / (name + ".key")).string(), name, (arguments.to / "ca.pem").string()));
  say(fmt::format("{} signs further nodes: keep it away from them.\n", (arguments.to / "ca.key").string()));
  return 0;
}

}  // namespace slipstream

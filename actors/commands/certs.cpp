#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "actors/commands/commands.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/wire/certificates.hpp"

namespace slipstream {

int certs_command(const certs_arguments &arguments) {
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

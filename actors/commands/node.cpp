#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command node_row() {
  return row<node_arguments>(
      "node", "a process that a run places actors on", [](CLI::App &app, node_arguments &arguments) {
        app.add_option("--name", arguments.name, "which [nodes.NAME] of the topology it is")->required();
        auto *join = app.add_option("--join", arguments.join, "HOST:PORT of the run");
        app.add_option("--listen", arguments.listen, "HOST:PORT where it waits for runs")->excludes(join);
        app.add_option("--certificate", arguments.certificate,
                       "its certificate (PEM); none: this machine only");
        app.add_option("--key", arguments.key, "the certificate's key (PEM)");
        app.add_option("--authority", arguments.authority,
                       "certificate of the authority that signed all nodes' certificates (PEM)");
        app.add_option("--heartbeat", arguments.heartbeat, "seconds between signs of life (0.5)")
            ->check(CLI::Range(0.05, 3600.0));
        app.add_option("--timeout", arguments.timeout,
                       "seconds without one until the run is taken for dead (5)")
            ->check(CLI::Range(0.1, 3600.0));
        app.add_option("--patience", arguments.patience, "seconds to look for a run; 0: for ever (60)")
            ->check(CLI::NonNegativeNumber);
        app.add_option("--threads", arguments.threads, "compute threads; default: as the run says")
            ->check(CLI::PositiveNumber);
        app.add_flag("--tied", arguments.tied,
                     "leave when standard input ends, as at SIGTERM (launch gives it)");
      });
}

}  // namespace slipstream

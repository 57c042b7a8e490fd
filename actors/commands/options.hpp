#pragma once

#include "actors/commands/arguments.hpp"

namespace CLI {
class App;
}

namespace slipstream {

// Options that several commands have.
void add_topology_options(CLI::App &app, topology_arguments &arguments);
void add_resume_option(CLI::App &app, run_arguments &arguments);

}  // namespace slipstream

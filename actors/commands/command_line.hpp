#pragma once

#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace slipstream {

/// A parser of all commands and their options. Parsing puts what carries the given command out into `chosen`,
/// which must outlive the parser; `typed` is the whole command line.
std::shared_ptr<CLI::App> make_parser(std::function<int()> &chosen, const std::string &typed);

/// Reads the command line and carries its command out, to the exit code.
int run_command_line(int argc, char **argv);

}  // namespace slipstream

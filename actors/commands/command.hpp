#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "actors/commands/arguments.hpp"

namespace CLI {
class App;
}

namespace slipstream {

/// A command of the program: one row. `tokenizer train` is `train` below the group `tokenizer`.
struct command {
  std::string name;
  std::string help;
  /// Declares the options and answers with what carries the command out once they are read; `typed` is the
  /// whole command line. Empty for a group of commands.
  std::function<std::function<int()>(CLI::App &app, const std::string &typed)> declare{};
};

/// A row from the options of a command. Its function is the overload of execute() for `Arguments`.
template <class Arguments>
command row(std::string name, std::string help, void (*options)(CLI::App &, Arguments &)) {
  return {std::move(name), std::move(help), [options](CLI::App &app, const std::string &typed) {
            const auto arguments = std::make_shared<Arguments>();
            if constexpr (requires { arguments->typed; }) arguments->typed = typed;
            options(app, *arguments);
            return [arguments] { return execute(*arguments); };
          }};
}

}  // namespace slipstream

#include "actors/commands/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "actors/commands/rows.hpp"
#include "actors/commands/version.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

/// Where the row's command belongs, and its name there: "train" below "tokenizer".
std::pair<CLI::App *, std::string> place_of(CLI::App &app, const std::string &name) {
  const auto space = name.find(' ');
  if (space == std::string::npos) return {&app, name};
  return {app.get_subcommand(name.substr(0, space)), name.substr(space + 1)};
}

/// What to say when the first word is no command; empty when it is one, or an option.
std::string unknown_command(const CLI::App &app, int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string> names;
  for (const auto *command : app.get_subcommands([](const CLI::App *) { return true; }))
    names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return "";
  return "error: there is no command \"" + std::string(argv[1]) + "\"." + did_you_mean(argv[1], names) +
         " Commands: " + listed(names);
}

/// The command as one would type it.
std::string typed_line(int argc, char **argv) {
  std::string line = "slipstream";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n\"'\\$`&|;<>()*?[]{}#~!") == std::string::npos;
    line += plain ? " " + word : " '" + word + "'";
  }
  return line;
}

}  // namespace

std::shared_ptr<CLI::App> make_parser(std::function<int()> &chosen, const std::string &typed) {
  auto app = std::make_shared<CLI::App>("Slipstream: asynchronous RLHF and supervised fine-tuning on actors",
                                        "slipstream");
  app->require_subcommand(1);
  app->set_version_flag("--version", version_text, "what this program is made of");
  for (const auto &row : command_rows()) {
    const auto [parent, name] = place_of(*app, row.name);
    auto *command = parent->add_subcommand(name, row.help);
    if (row.declare)
      command->callback([&chosen, run = row.declare(*command, typed)] { chosen = run; });
    else
      command->require_subcommand(1);
  }
  return app;
}

int run_command_line(int argc, char **argv) {
  std::function<int()> chosen;
  const auto app = make_parser(chosen, typed_line(argc, argv));
  if (const auto wrong = unknown_command(*app, argc, argv); !wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 2;
  }
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    return finish_output(app->exit(problem) == 0 ? 0 : 2);
  }
  return run_and_tell(chosen);
}

}  // namespace slipstream

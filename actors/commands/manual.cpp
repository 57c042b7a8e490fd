#include <CLI/CLI.hpp>
#include <cctype>
#include <cstdio>
#include <string>
#include <vector>

#include "actors/commands/command_line.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {
namespace {

using commands = std::vector<const CLI::App *>;

commands commands_of(const CLI::App &app) {
  return app.get_subcommands([](const CLI::App *) { return true; });
}

/// Text for a manual page: no hyphen is made a dash of, and no line is taken for a request.
std::string escaped(const std::string &text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\') {
      result += "\\e";
    } else if (letter == '-') {
      result += "\\-";
    } else if (letter == '\'' && result.empty()) {
      result += "\\(aq";
    } else {
      result += letter;
    }
  }
  return result.starts_with('.') ? "\\&" + result : result;
}

/// What follows an option's name, in italics: the kind of value, or nothing for a flag.
std::string value_of(const CLI::Option &option) {
  const auto type = option.get_type_name();
  if (option.get_items_expected_max() == 0 || type.empty()) return "";
  return " \\fI" + escaped(type.substr(0, type.find_first_of(": "))) + "\\fR";
}

std::string sentence(std::string text) {
  if (text.empty()) return text;
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + (text.back() == '.' ? "" : ".");
}

void print_option(const CLI::Option &option) {
  if (option.get_positional()) {
    std::printf(".TP\n\\fI%s\\fR\n", escaped(option.get_name(true)).c_str());
  } else {
    std::printf(".TP\n\\fB%s\\fR%s\n", escaped(option.get_name(false, true)).c_str(),
                value_of(option).c_str());
  }
  auto said = option.get_description();
  if (option.get_required() && !option.get_positional()) said += said.empty() ? "needed" : "; needed";
  std::printf("%s\n", said.empty() ? "\\&" : escaped(sentence(said)).c_str());
}

void print_command(const CLI::App &command, const std::string &before) {
  const auto name = before + command.get_name();
  std::printf(".SS \"slipstream %s\"\n%s\n", escaped(name).c_str(),
              escaped(sentence(command.get_description())).c_str());
  for (const auto *option : command.get_options())
    if (option != command.get_help_ptr()) print_option(*option);
  for (const auto *below : commands_of(command)) print_command(*below, name + " ");
}

void print_page(const CLI::App &app) {
  std::printf(
      ".TH SLIPSTREAM 1 \"\" Slipstream \"User Commands\"\n"
      ".SH NAME\nslipstream \\- instruction tuning and asynchronous RLHF as graphs of actors\n"
      ".SH SYNOPSIS\n.B slipstream\n.I COMMAND\n.RI [ OPTIONS ]\n"
      ".SH DESCRIPTION\n"
      "Supervised fine\\-tuning, reward modelling and reinforcement learning are graphs of actors that a "
      "TOML file draws, a topology. Topologies to start with are in\n"
      ".IR /usr/share/slipstream/configs .\n"
      "Every command explains itself with\n.BR \\-\\-help .\n"
      ".SH COMMANDS\n");
  for (const auto *command : commands_of(app)) print_command(*command, "");
  std::printf(
      ".SH EXIT STATUS\n0: success. 1: the run failed. 2: wrong usage, configuration or input. "
      "130: interrupted.\n");
}

std::string options_of(const CLI::App &command) {
  std::string words;
  for (const auto *option : command.get_options())
    if (!option->get_positional()) words += (words.empty() ? "" : " ") + option->get_name(false, false);
  return words;
}

std::string names_of(const CLI::App &command) {
  std::string words;
  for (const auto *below : commands_of(command)) words += (words.empty() ? "" : " ") + below->get_name();
  return words;
}

/// One case of the script: which words and which options may follow.
void print_bash_case(const CLI::App &command, const std::string &pattern) {
  std::printf("    %s) words=\"%s\" options=\"%s\" ;;\n", pattern.c_str(), names_of(command).c_str(),
              options_of(command).c_str());
}

/// A case for every command, those below a group first, and one for no command: `print` gets the words so
/// far.
template <class Print>
void each_case(const CLI::App &app, Print print) {
  print(app, "\" \"");
  for (const auto *command : commands_of(app)) {
    for (const auto *below : commands_of(*command))
      print(*below, "\"" + command->get_name() + " " + below->get_name() + " \"*");
    print(*command, "\"" + command->get_name() + " \"*");
  }
}

void print_bash(const CLI::App &app) {
  std::printf(
      "# Completion of slipstream for bash, written by `slipstream manual --format bash`.\n"
      "_slipstream() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} words=\"\" options=\"\"\n"
      "  case \"${COMP_WORDS[*]:1:COMP_CWORD-1} \" in\n");
  each_case(app, print_bash_case);
  std::printf(
      "  esac\n"
      "  [[ $word != -* ]] || words=$options\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
      "}\n"
      "complete -o default -F _slipstream slipstream\n");
}

/// In single quotes for zsh and fish.
std::string quoted(const std::string &text, bool backslashes) {
  std::string result = "'";
  for (const char letter : text) {
    if (letter == '\'')
      result += backslashes ? "\\'" : "'\\''";
    else
      result += letter == '\\' && backslashes ? "\\\\" : std::string(1, letter);
  }
  return result + "'";
}

void print_zsh_case(const CLI::App &command, const std::string &pattern) {
  std::printf("    %s)\n      commands=(", pattern.c_str());
  for (const auto *below : commands_of(command))
    std::printf(" %s", quoted(below->get_name() + ":" + below->get_description(), false).c_str());
  std::printf(" )\n      options=(");
  for (const auto *option : command.get_options())
    if (!option->get_positional() && !option->get_lnames().empty())
      std::printf(
          " %s",
          quoted("--" + option->get_lnames().front() + ":" + option->get_description(), false).c_str());
  std::printf(" ) ;;\n");
}

void print_zsh(const CLI::App &app) {
  std::printf(
      "#compdef slipstream\n"
      "# Completion of slipstream for zsh, written by `slipstream manual --format zsh`.\n"
      "_slipstream() {\n"
      "  local typed=\"${(j: :)words[2,CURRENT-1]} \" word=$words[CURRENT]\n"
      "  local -a commands options\n"
      "  case $typed in\n");
  each_case(app, print_zsh_case);
  std::printf(
      "  esac\n"
      "  if [[ $word == -* ]]; then\n"
      "    _describe -o option options\n"
      "  elif (( $#commands )); then\n"
      "    _describe command commands\n"
      "  else\n"
      "    _files\n"
      "  fi\n"
      "}\n"
      "_slipstream \"$@\"\n");
}

/// Options of one command, which follow where the condition holds.
void print_fish_options(const CLI::App &command, const std::string &condition) {
  for (const auto *option : command.get_options()) {
    if (option->get_positional() || option->get_lnames().empty()) continue;
    const bool value = option->get_items_expected_max() > 0;
    std::printf("complete -c slipstream -n %s -l %s%s -d %s\n", quoted(condition, true).c_str(),
                option->get_lnames().front().c_str(), value ? " -r" : "",
                quoted(option->get_description(), true).c_str());
  }
}

void print_fish_command(const CLI::App &command, const std::string &condition) {
  std::printf("complete -c slipstream -f -n %s -a %s -d %s\n", quoted(condition, true).c_str(),
              command.get_name().c_str(), quoted(command.get_description(), true).c_str());
}

void print_fish(const CLI::App &app) {
  std::printf("# Completion of slipstream for fish, written by `slipstream manual --format fish`.\n");
  print_fish_options(app, "__fish_use_subcommand");
  for (const auto *command : commands_of(app)) {
    print_fish_command(*command, "__fish_use_subcommand");
    const auto seen = "__fish_seen_subcommand_from " + command->get_name();
    print_fish_options(*command, seen);
    for (const auto *below : commands_of(*command)) {
      print_fish_command(*below, seen + "; and not __fish_seen_subcommand_from " + names_of(*command));
      print_fish_options(*below, seen + "; and __fish_seen_subcommand_from " + below->get_name());
    }
  }
}

constexpr struct {
  const char *name;
  void (*print)(const CLI::App &app);
} formats[] = {{"man", print_page}, {"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

}  // namespace

command manual_row() {
  return row<manual_arguments>("manual", "print the manual page, or the completion of a shell",
                               [](CLI::App &app, manual_arguments &arguments) {
                                 std::vector<std::string> names;
                                 for (const auto &format : formats) names.emplace_back(format.name);
                                 app.add_option("--format", arguments.format,
                                                "man (default), bash, zsh or fish")
                                     ->check(CLI::IsMember(names));
                               });
}

int execute(const manual_arguments &arguments) {
  std::function<int()> unused;
  const auto app = make_parser(unused, "");
  for (const auto &format : formats)
    if (arguments.format == format.name) format.print(*app);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace slipstream

#include <CLI/CLI.hpp>
#include <cctype>
#include <cstdio>
#include <string>
#include <vector>

#include "actors/commands/commands.hpp"

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
void print_case(const CLI::App &command, const std::string &pattern) {
  std::printf("    %s) words=\"%s\" options=\"%s\" ;;\n", pattern.c_str(), names_of(command).c_str(),
              options_of(command).c_str());
}

void print_completion(const CLI::App &app) {
  std::printf(
      "# Completion of slipstream for bash, written by `slipstream manual --format bash`.\n"
      "_slipstream() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} words=\"\" options=\"\"\n"
      "  case \"${COMP_WORDS[*]:1:COMP_CWORD-1} \" in\n");
  print_case(app, "\" \"");
  for (const auto *command : commands_of(app)) {
    for (const auto *below : commands_of(*command))
      print_case(*below, "\"" + command->get_name() + " " + below->get_name() + " \"*");
    print_case(*command, "\"" + command->get_name() + " \"*");
  }
  std::printf(
      "  esac\n"
      "  [[ $word != -* ]] || words=$options\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
      "}\n"
      "complete -o default -F _slipstream slipstream\n");
}

}  // namespace

int manual_command(const CLI::App &app, const std::string &format) {
  format == "bash" ? print_completion(app) : print_page(app);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace slipstream

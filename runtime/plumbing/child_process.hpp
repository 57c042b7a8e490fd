#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace slipstream {

struct child_program {
  std::vector<std::string> arguments;  ///< the first is the program: a path, or a name that PATH knows
  std::filesystem::path folder;        ///< where it runs; empty: here
  std::filesystem::path output;        ///< what it prints is appended to this file
  int input = -1;                      ///< descriptor of its standard input; -1: nothing
};

/// Starts a program that does not outlive the calling thread (the kernel kills it then). It is in a process
/// group of its own: Ctrl-C reaches it through us only. Returns its process id; waitpid() must be called for
/// it. A program that cannot be started ends with exit code 127. Throws run_error when there can be no
/// process or no output file.
pid_t start_child(const child_program &program);

/// The exit code in what waitpid() gave; 128 and the signal's number for a program that a signal ended.
int exit_code(int wait_status);

/// Whether PATH has a program of this name.
bool program_exists(const std::string &name);

}  // namespace slipstream

#pragma once

#include <functional>

namespace slipstream {

/// Writes out what standard output holds back. Throws run_error where it cannot be written, as on a full
/// disk.
void flush_output();

/// The exit code of a command that ended with `code`: 1, with a word on standard error, where its answer
/// could not be written.
int finish_output(int code);

/// Runs a command to its exit code. What it throws is told on standard error: input_error is code 2, all else
/// code 1.
int run_and_tell(const std::function<int()> &command);

/// Says that what the command makes are files: it works where standard output is closed, too.
void results_are_files();

}  // namespace slipstream

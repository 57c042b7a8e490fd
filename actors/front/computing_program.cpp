#include "actors/front/computing_program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "models/error.hpp"
#include "runtime/plumbing/thread_environment.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

char **kept_arguments = nullptr;

/// Beside this program in a build folder; below libexec/ where it is installed.
fs::path computing_program(const fs::path &self) {
  const auto beside = self.parent_path() / "slipstream-compute";
  return fs::exists(beside)
             ? beside
             : (self.parent_path() / SLIPSTREAM_LIBEXEC / "slipstream-compute").lexically_normal();
}

}  // namespace

void keep_arguments(char **argv) {
  kept_arguments = argv;
}

int start_computing_program() {
  const auto self = fs::read_symlink("/proc/self/exe");
  const auto program = computing_program(self);
  set_thread_variables();
  setenv("SLIPSTREAM_PROGRAM", self.c_str(), 1);  // the computing program starts others by this one
  execv(program.c_str(), kept_arguments);
  const auto reason = std::generic_category().message(errno);
  throw run_error(
      fmt::format("{}, the part of slipstream that computes, cannot be started: {}; install slipstream "
                  "again, or build the target slipstream_program",
                  program.string(), reason));
}

}  // namespace slipstream

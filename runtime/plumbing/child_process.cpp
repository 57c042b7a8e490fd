#include "runtime/plumbing/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include "models/error.hpp"

namespace slipstream {
namespace {

// Between fork and exec only calls that are safe after a fork of a program with threads.
[[noreturn]] void become(char **arguments, const char *folder, int input, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it has died before the line above
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (input < 0) input = ::open("/dev/null", O_RDONLY);
  if (input < 0 || ::dup2(input, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
      ::dup2(output, STDERR_FILENO) < 0 || ::chdir(folder) != 0)
    ::_exit(127);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);  // also what libraries have opened
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

std::string reason() {
  return std::error_code(errno, std::generic_category()).message();
}

}  // namespace

pid_t start_child(const child_program &program) {
  auto words = program.arguments;
  std::vector<char *> arguments;
  for (auto &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto folder = program.folder.empty() ? std::string(".") : program.folder.string();
  const int output = ::open(program.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0)
    throw run_error(program.output.string() + ": error: cannot be opened for writing: " + reason());
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(arguments.data(), folder.c_str(), program.input, output, parent);
  ::close(output);
  if (child < 0) throw run_error("no process can be started for " + words.front() + ": " + reason());
  return child;
}

int exit_code(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

bool program_exists(const std::string &name) {
  const char *path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((std::filesystem::path(folder) / name).c_str(), X_OK) == 0) return true;
  return false;
}

}  // namespace slipstream

#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace slipstream::test {

/// `slipstream` itself, run in `folder` without a shell; what it prints goes to files outside of it.
class program {
 public:
  program(const std::filesystem::path &folder, const std::filesystem::path &prints,
          std::vector<std::string> arguments)
      : out_(prints / "out.txt"), err_(prints / "err.txt") {
    arguments.insert(arguments.begin(), SLIPSTREAM_PROGRAM);
    std::vector<char *> argv;
    for (auto &argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no process to run the program in");
    if (pid_ == 0) start(folder, argv.data());
  }
  ~program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  program(const program &) = delete;
  program &operator=(const program &) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ > 0;
  }
  /// The exit code; 1000 and the signal's number when one ended it.
  int wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = 0;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  }
  std::string out() const { return read(out_); }
  std::string err() const { return read(err_); }

 private:
  [[noreturn]] void start(const std::filesystem::path &folder, char **argv) const {
    redirect(out_, STDOUT_FILENO);
    redirect(err_, STDERR_FILENO);
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    ::setenv("SLIPSTREAM_THREADS_SET", "1", 1);  // as it is after it has started itself once more
    if (::chdir(folder.c_str()) == 0) ::execv(argv[0], argv);
    ::_exit(127);
  }
  static void redirect(const std::filesystem::path &file, int descriptor) {
    const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
  }
  static std::string read(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path out_, err_;
  pid_t pid_ = 0;
  int status_ = 0;
};

}  // namespace slipstream::test

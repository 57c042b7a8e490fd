#include "runtime/plumbing/output.hpp"

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "models/error.hpp"
#include "models/plain_text.hpp"
#include "runtime/plumbing/descriptors.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

std::string output_failure(int reason) {
  return "standard output cannot be written" +
         (reason == 0 ? std::string() : ": " + std::generic_category().message(reason)) +
         "; give it a disk with room, or a program that reads it";
}

}  // namespace

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw run_error(output_failure(errno));
}

int finish_output(int code) {
  return run_and_tell([&] {
    if (code == 0) flush_output();
    return code;
  });
}

int run_and_tell(const std::function<int()> &command) {
  try {
    const int code = command();
    if (code == 0) flush_output();
    return code;
  } catch (const input_error &problem) {
    say(std::string(problem.what()) + "\n");
    return 2;
  } catch (const std::system_error &problem) {  // which {fmt} throws where it cannot print
    const bool printing = std::ferror(stdout) != 0;
    const auto told = printing ? output_failure(problem.code().value()) : plain_text(problem);
    say("error: " + told + "\n");
  } catch (const std::exception &problem) {
    say("error: " + plain_text(problem) + "\n");
  }
  return 1;
}

void results_are_files() {
  if (output_is_closed()) discard_output();
}

}  // namespace slipstream

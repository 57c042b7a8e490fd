#include "runtime/plumbing/child_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/plumbing/descriptors.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

// What a program prints that is started as nodes are.
std::string printed(const test::scratch &folder, std::vector<std::string> words) {
  child_program program;
  program.arguments = std::move(words);
  program.output = folder / "out.txt";
  int status = 0;
  REQUIRE(::waitpid(start_child(program), &status, 0) > 0);
  CHECK(exit_code(status) == 0);
  return test::read_text(folder / "out.txt");
}

}  // namespace

TEST_CASE("descriptors do not leak into a process that is started") {
  const test::scratch folder;
  const int null = ::open("/dev/null", O_RDONLY);
  const int open = ::fcntl(null, F_DUPFD, 60);  // as a library does it: without close-on-exec
  REQUIRE(open >= 60);
  const auto seen = printed(folder, {"sh", "-c", "echo /proc/self/fd/*"});
  CHECK(seen.find("/" + std::to_string(open)) == std::string::npos);
  CHECK(seen.find("/proc/self/fd/2") != std::string::npos);
  ::close(open);
  ::close(null);
}

TEST_CASE("standard descriptors that are closed are opened, the output so that nothing can be written") {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int descriptor : {0, 1, 2}) ::close(descriptor);
    open_standard_descriptors();
    const int next = ::open("/dev/null", O_RDONLY);
    const bool good = next > 2 && output_is_closed() && ::write(1, "x", 1) < 0 && ::write(2, "x", 1) == 1;
    discard_output();
    ::_exit(good && !output_is_closed() && ::write(1, "x", 1) == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(exit_code(status) == 0);
}

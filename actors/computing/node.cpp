#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <thread>

#include "actors/commands/arguments.hpp"
#include "actors/computing/interrupts.hpp"
#include "actors/nodes/worker.hpp"
#include "models/error.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/plumbing/resources.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

endpoint checked_place(const std::string &text, const std::string &option, const wire_security &security) {
  const auto place = parse_endpoint(text, option);
  check_place(place, security, option);
  return place;
}

/// While certificates are being replaced, their files contradict each other for a moment. A node that starts
/// in that moment tries again for 2 s before it gives up.
void check_files(const wire_security &security) {
  constexpr int looks = 20;
  for (int look = 1;; ++look) try {
      return check_security(security, "slipstream node");
    } catch (const input_error &) {
      if (look == looks) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

std::int64_t milliseconds(double seconds) {
  return std::llround(seconds * 1000);
}

/// What started this process holds the other end of its standard input. When that ends, it leaves as at
/// SIGTERM, and after a while in any case: nobody is there to kill what hangs.
void tie_to_input() {
  std::thread([] {
    std::array<char, 256> ignored{};
    ssize_t count = 0;
    do {
      count = ::read(STDIN_FILENO, ignored.data(), ignored.size());
    } while (count > 0 || (count < 0 && errno == EINTR));
    ::kill(::getpid(), SIGTERM);
    std::this_thread::sleep_for(std::chrono::seconds(15));
    ::_exit(1);
  }).detach();
}

}  // namespace

int execute(const node_arguments &arguments) {
  results_are_files();
  warn_of_blas();
  if (arguments.join.empty() == arguments.listen.empty())
    throw input_error(
        "slipstream node: error: give --join HOST:PORT of a run, or --listen HOST:PORT to wait for one");
  if (arguments.timeout < 2 * arguments.heartbeat)
    throw input_error(
        "--timeout: error: it must be at least two heartbeats, or a healthy run is taken for dead");
  worker_options options;
  options.name = arguments.name;
  options.link.security = {arguments.certificate, arguments.key, arguments.authority, {}};
  check_files(options.link.security);
  if (!arguments.join.empty())
    options.join = checked_place(arguments.join, "--join", options.link.security);
  else
    options.listen = checked_place(arguments.listen, "--listen", options.link.security);
  options.link.heartbeat_ms = milliseconds(arguments.heartbeat);
  options.link.timeout_ms = milliseconds(arguments.timeout);
  options.patience_ms = milliseconds(arguments.patience);
  options.threads = arguments.threads;
  options.interrupted = interrupted;
  options.say = [](const std::string &line) { say(line + "\n"); };
  registry kinds;
  register_builtin(kinds);
  catch_interrupts();
  require_resources({24, 32, std::size_t{1} << 30U});
  if (arguments.tied) tie_to_input();
  return run_worker(kinds, options);
}

}  // namespace slipstream

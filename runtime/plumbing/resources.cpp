#include "runtime/plumbing/resources.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <latch>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "models/error.hpp"

namespace slipstream {
namespace {

std::string limit_text(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit);
}

std::size_t startable_threads(std::size_t wanted) {
  std::latch enough(1);
  std::vector<std::thread> started;
  started.reserve(wanted);
  try {
    while (started.size() < wanted) started.emplace_back([&enough] { enough.wait(); });
  } catch (const std::system_error &) {  // no more
  }
  enough.count_down();
  for (auto &each : started) each.join();
  return started.size();
}

void require_threads(std::size_t wanted) {
  const auto found = startable_threads(wanted);
  if (found >= wanted) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NPROC, &limit);
  throw run_error(
      fmt::format("this run needs {} threads, and only {} can be started here; raise the limit on processes "
                  "(ulimit -u, which is {}; in a container its pids limit)",
                  wanted, found, limit_text(limit.rlim_cur)));
}

std::size_t free_descriptors(std::size_t wanted) {
  std::vector<int> opened;
  opened.reserve(wanted);
  while (opened.size() < wanted) {
    const int each = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (each < 0) break;
    opened.push_back(each);
  }
  for (const int each : opened) ::close(each);
  return opened.size();
}

void require_descriptors(std::size_t wanted) {
  const auto found = free_descriptors(wanted);
  if (found >= wanted) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  throw run_error(fmt::format(
      "this run needs {} descriptors for its files and connections, and only {} are free; raise the limit on "
      "open files (ulimit -n, which is {})",
      wanted, found, limit_text(limit.rlim_cur)));
}

void require_address_space(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  void *room = ::mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room != MAP_FAILED) {
    ::munmap(room, wanted);
    return;
  }
  throw run_error(fmt::format(
      "this run needs {} MB of address space beside its tensors, and the limit on it (ulimit -v, which is {} "
      "MB) leaves less; raise it or take it away (a container limits memory by other means)",
      wanted >> 20U, limit.rlim_cur >> 20U));
}

// Memory may be what is short: nothing here allocates.
void put(const char *text) {
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
}

void tell(const std::exception &problem) {
  if (dynamic_cast<const std::bad_alloc *>(&problem))
    return put(
        "memory is short; give the process more (ulimit -v, the container's limit) or make the model, the "
        "batch or the number of actors smaller");
  put(problem.what());
  const auto *system = dynamic_cast<const std::system_error *>(&problem);
  if (system && system->code() == std::errc::resource_unavailable_try_again)
    put(" (a thread or process cannot be started: ulimit -u, the container's pids limit)");
}

[[noreturn]] void say_last_words() {
  put("\nerror: ");
  if (const auto thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception &problem) {
      tell(problem);
    } catch (...) {
      put("an exception of unknown type");
    }
  } else {
    put("the process cannot go on, most likely for want of threads or memory (ulimit -u, -v, the container's "
        "limits)");
  }
  put("\n");
  ::_exit(1);
}

}  // namespace

void require_resources(const resource_needs &needs) {
  require_address_space(needs.address_space);
  require_descriptors(needs.descriptors);
  require_threads(needs.threads);
}

void install_last_words() {
  std::set_terminate(say_last_words);
}

}  // namespace slipstream

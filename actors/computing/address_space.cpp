// Part of the computing program itself, not of a library: only a program has a .preinit_array.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cstddef>
#include <string_view>

#ifndef __SANITIZE_ADDRESS__
namespace {

// Called before the libraries are set up: OpenBLAS asks for 128 MB then, and goes on asking for ever where a
// limit on the address space denies them.
void refuse_small_address_space(int, char **, char **) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  constexpr std::size_t wanted = std::size_t{640} << 20U;
  void *room = ::mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room != MAP_FAILED) {
    ::munmap(room, wanted);
    return;
  }
  constexpr std::string_view text =
      "error: the limit on address space (ulimit -v) is too low for LibTorch and its BLAS; raise it or take "
      "it "
      "away (a container limits memory by other means)\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(1);
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_libraries)(int, char **, char **) = refuse_small_address_space;

}  // namespace
#endif

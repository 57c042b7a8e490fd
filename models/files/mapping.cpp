#include "models/files/mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "models/error.hpp"
#include "models/files/write_failure.hpp"

namespace slipstream {
namespace {

class descriptor {
 public:
  explicit descriptor(const std::filesystem::path &path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  descriptor(const descriptor &) = delete;
  descriptor &operator=(const descriptor &) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

std::string reason() {
  return std::strerror(errno);
}

}  // namespace

void populate_pages(const void *start, std::size_t size) {
#ifdef MADV_POPULATE_READ
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(start) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(start) + size;
  ::madvise(reinterpret_cast<void *>(first), end - first,
            MADV_POPULATE_READ);  // a hint: failing changes nothing
#endif
}

void release_pages(const void *start, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(start) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(start) + size) / page * page;
  if (end > first) ::madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED);
}

mapped_file map_file(const std::filesystem::path &file) {
  const descriptor opened(file);
  struct stat status {};
  if (opened.number() < 0 || ::fstat(opened.number(), &status) != 0)
    throw input_error(file.string() + ": error: cannot be read (" + reason() + "); is the path right?");
  if (!S_ISREG(status.st_mode) || status.st_size == 0)
    throw input_error(file.string() + ": error: is empty or no file; write it anew or take another");
  const auto size = static_cast<std::size_t>(status.st_size);
  void *start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, opened.number(), 0);
  if (start == MAP_FAILED) throw run_error(file.string() + ": cannot be mapped (" + reason() + ")");
  const auto unmap = [size](const char *first) { ::munmap(const_cast<char *>(first), size); };
  return {std::shared_ptr<const char>(static_cast<const char *>(start), unmap), size};
}

void write_file(const std::filesystem::path &file, std::string_view text) {
  errno = 0;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out) throw write_failure(file, errno);
  sync_path(file);
}

void sync_path(const std::filesystem::path &path) {
  const descriptor opened(path);
  if (opened.number() < 0 || ::fsync(opened.number()) != 0)
    throw write_failure(path, errno, "cannot be synced to the disk");
}

}  // namespace slipstream

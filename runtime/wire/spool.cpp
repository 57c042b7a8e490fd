#include "runtime/wire/spool.hpp"

#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "models/error.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

namespace {

// The types that statfs() tells for file systems in memory.
constexpr long tmpfs = 0x01021994, ramfs = 0x858458f6;

}  // namespace

void check_spool(const std::string &folder, const std::string &what) {
  if (folder.empty()) return;
  const auto fail = [&](const std::string &why) {
    throw input_error(what + ": error: weights cannot be spooled to \"" + folder + "\": " + why);
  };
  if (folder.front() != '/') fail("give the whole path, beginning with /");
  struct stat file {};
  if (::stat(folder.c_str(), &file) != 0) fail(std::strerror(errno));
  if (!S_ISDIR(file.st_mode)) fail("it is no folder");
  struct statfs system {};
  if (::statfs(folder.c_str(), &system) != 0) fail(std::strerror(errno));
  if (system.f_type == tmpfs || system.f_type == ramfs)
    fail("it lies in memory (tmpfs); name a folder on a disk, such as /var/tmp");
  try {
    wire::spool_file(folder, 4096).write(0, "", 1);
  } catch (const run_error &problem) {
    fail(problem.what());
  }
}

namespace wire {

spool_file::spool_file(const std::string &folder, std::size_t bytes)
    : folder_(folder),
      bytes_(bytes),
      descriptor_(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)),
      data_(MAP_FAILED) {
  // All blocks are reserved at once, so that a full disk shows here and not in the middle of a transfer.
  if (descriptor_ >= 0 && ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0)
    data_ = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (data_ != MAP_FAILED) return;
  const std::string why = errno == EOPNOTSUPP || errno == EISDIR
                              ? "its file system has no files without a name, or reserves no room for them"
                              : std::strerror(errno);
  if (descriptor_ >= 0) ::close(descriptor_);
  throw run_error(why);
}

spool_file::~spool_file() {
  ::munmap(data_, bytes_);
  ::close(descriptor_);
}

void spool_file::write(std::size_t at, const void *from, std::size_t size) {
  for (const auto *bytes = static_cast<const char *>(from); size > 0;) {
    const auto done = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0)
      throw run_error("error: weights cannot be spooled to \"" + folder_ + "\": " + std::strerror(errno));
    const auto more = static_cast<std::size_t>(done);
    bytes += more, at += more, size -= more;
  }
}

void spool_file::read(std::size_t at, void *to, std::size_t size) const {
  for (auto *bytes = static_cast<char *>(to); size > 0;) {
    const auto done = ::pread(descriptor_, bytes, size, static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0)
      throw run_error("error: weights cannot be read back from \"" + folder_ + "\": " + std::strerror(errno));
    const auto more = static_cast<std::size_t>(done);
    bytes += more, at += more, size -= more;
  }
}

at::Tensor spooled_tensor(std::shared_ptr<const spool_file> file, std::int64_t elements) {
  void *data = file->data();
  return at::from_blob(
      data, {elements}, [file = std::move(file)](void *) {}, at::TensorOptions(at::kFloat));
}

}  // namespace wire
}  // namespace slipstream

#include "runtime/run_folder/write.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "models/error.hpp"
#include "models/files/write_failure.hpp"

namespace slipstream {

namespace {

std::string reason() {
  return std::error_code(errno, std::generic_category()).message();
}

std::filesystem::path beside(const std::filesystem::path &file) {
  auto aside = file;
  aside += fmt::format(".{}.new", ::getpid());
  return aside;
}

struct descriptor_guard {
  int descriptor;
  ~descriptor_guard() { ::close(descriptor); }
};

// Renames are durable once their folder is synced.
void sync_folder(const std::filesystem::path &folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  const descriptor_guard guard{descriptor};
  ::fsync(descriptor);
}

}  // namespace

void write_all(int descriptor, std::string_view text, const std::filesystem::path &file) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw write_failure(file, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void make_folder(const std::filesystem::path &folder) {
  std::error_code failed;
  const bool made = std::filesystem::create_directories(folder, failed);
  if (failed || !std::filesystem::is_directory(folder, failed))
    throw input_error(fmt::format("{}: error: the folder cannot be made: {}; choose another one",
                                  folder.string(),
                                  failed ? failed.message() : "a file of this name is in the way"));
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
    throw input_error(
        fmt::format("{}: error: the folder cannot be written: {}; change its permissions or choose "
                    "another one",
                    folder.string(), reason()));
  if (made) sync_folder(std::filesystem::absolute(folder / "").parent_path().parent_path());
}

namespace {

// `file` is what `aside` becomes, and what a user knows.
void write_and_sync(const std::filesystem::path &aside, std::string_view text,
                    const std::filesystem::path &file) {
  const int descriptor = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) throw write_failure(file, errno);
  const descriptor_guard guard{descriptor};
  write_all(descriptor, text, file);
  if (::fsync(descriptor) != 0) throw write_failure(file, errno, "cannot be synced to the disk");
}

}  // namespace

void write_aside(const std::filesystem::path &file, std::string_view text) {
  const auto aside = beside(file);
  std::error_code failed;
  try {
    write_and_sync(aside, text, file);
  } catch (...) {
    std::filesystem::remove(aside, failed);
    throw;
  }
  std::filesystem::rename(aside, file, failed);
  if (failed) {
    const auto reason = failed.value();
    std::filesystem::remove(aside, failed);
    throw write_failure(file, reason, "cannot be put in place");
  }
  sync_folder(file.parent_path());
}

void replace_link(const std::filesystem::path &link, const std::filesystem::path &target) {
  const auto aside = beside(link);
  std::error_code failed;
  std::filesystem::remove(aside, failed);
  std::filesystem::create_symlink(target, aside, failed);
  if (!failed) std::filesystem::rename(aside, link, failed);
  if (failed) throw write_failure(link, failed.value(), "the link cannot be set");
  sync_folder(link.parent_path());
}

}  // namespace slipstream

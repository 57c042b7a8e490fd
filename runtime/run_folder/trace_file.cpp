#include "runtime/run_folder/trace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "models/files/write_failure.hpp"

namespace slipstream {
namespace {

constexpr std::string_view list_end = "\n]\n";

// errno of a write at a place, or 0.
int write_at(int descriptor, std::string_view text, std::int64_t at) {
  while (!text.empty()) {
    const auto written = ::pwrite(descriptor, text.data(), text.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
    at += written;
  }
  return 0;
}

}  // namespace

trace_file::trace_file(const std::filesystem::path &file)
    : file_(file), descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw write_failure(file_, errno, "cannot be opened for writing");
  constexpr std::string_view begin = "[";
  const int failed = write_at(descriptor_, std::string(begin) + std::string(list_end), 0);
  end_ = static_cast<std::int64_t>(begin.size());
  if (failed == 0) return;
  ::close(descriptor_);
  throw write_failure(file_, failed);
}

trace_file::~trace_file() {
  ::close(descriptor_);
}

void trace_file::write(std::string_view event) {
  std::string text(first_ ? "\n" : ",\n");
  text += event;
  const auto next = end_ + static_cast<std::int64_t>(text.size());
  if (const int failed = write_at(descriptor_, text += list_end, end_); failed != 0) {
    (void)write_at(descriptor_, list_end, end_);
    (void)::ftruncate(descriptor_, end_ + static_cast<std::int64_t>(list_end.size()));
    throw write_failure(file_, failed);
  }
  end_ = next;
  first_ = false;
}

}  // namespace slipstream

#include "models/files/write_failure.hpp"

#include <cerrno>
#include <string>
#include <system_error>

namespace slipstream {
namespace {

std::string_view mend(int reason) {
  switch (reason) {
    case ENOSPC:
    case EDQUOT:
      return "make room on this disk";
    case EROFS:
      return "make this file system writable";
    case EFBIG:
      return "raise the limit on the size of files (ulimit -f)";
    case EACCES:
    case EPERM:
      return "look at the permissions there";
    default:
      return "";
  }
}

}  // namespace

run_error write_failure(const std::filesystem::path &file, int reason, std::string_view what) {
  std::string text = file.string() + ": error: " + std::string(what);
  if (reason != 0) text += ": " + std::error_code(reason, std::generic_category()).message();
  if (!mend(reason).empty()) text += "; " + std::string(mend(reason)) + ", a run then goes on with --resume";
  return run_error(text);
}

}  // namespace slipstream

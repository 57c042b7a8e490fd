#include "runtime/run_folder/run_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "models/error.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path &folder, std::string_view message) {
  throw input_error(fmt::format("{}: error: {}", folder.string(), message));
}

std::string lock_holder(const fs::path &lock) {
  std::ifstream in(lock);
  long pid = 0;
  return in >> pid ? fmt::format("process {}", pid) : "another process";
}

[[noreturn]] void refuse_locked(const run_paths &paths) {
  refuse(paths.folder,
         fmt::format("{} writes this run folder now; wait for it to end or stop it, or choose another "
                     "run.name",
                     lock_holder(paths.lock)));
}

bool take_lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR)
      throw run_error(fmt::format("cannot lock a run folder: {}",
                                  std::error_code(errno, std::generic_category()).message()));
  }
  return true;
}

// Tests the lock without leaving a trace: a lock that could be had is given back at once.
void check_lock(const run_paths &paths) {
  const int descriptor = ::open(paths.lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  const bool free = take_lock(descriptor);
  ::close(descriptor);
  if (!free) refuse_locked(paths);
}

void check_unused(const run_paths &paths) {
  std::error_code failed;
  for (const auto &entry : fs::directory_iterator(paths.folder, failed)) {
    if (entry.path().filename() == paths.lock.filename()) continue;
    const char *held = fs::exists(paths.summary) ? "a finished run"
                       : fs::exists(paths.topology) || fs::exists(paths.checkpoints)
                           ? "a run that did not finish"
                           : "other files";
    refuse(paths.folder, fmt::format("the folder already holds {}; go on with it by --resume, choose another "
                                     "run.name (--set run.name=…) or "
                                     "run.folder (--set run.folder=…), or remove the folder",
                                     held));
  }
  if (failed) refuse(paths.folder, fmt::format("the folder cannot be read: {}", failed.message()));
}

// The deepest part of the path that exists must be a folder that takes new entries.
void check_writable(const fs::path &folder) {
  std::error_code failed;
  auto existing = fs::absolute(folder).lexically_normal();
  while (!fs::exists(existing, failed) && existing.has_parent_path() && existing != existing.root_path())
    existing = existing.parent_path();
  if (!fs::is_directory(existing, failed))
    refuse(folder, fmt::format("{} is a file, not a folder; choose another run.folder (--set run.folder=…)",
                               existing.string()));
  if (::access(existing.c_str(), W_OK | X_OK) != 0)
    refuse(folder,
           fmt::format("{} cannot be written: {}; change its permissions or choose another run.folder (--set "
                       "run.folder=…)",
                       existing.string(), std::error_code(errno, std::generic_category()).message()));
}

// Device and number of a file; zeros where there is none.
std::pair<std::uintmax_t, std::uintmax_t> file_number(const fs::path &file) {
  struct stat found = {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

}  // namespace

run_paths::run_paths(const fs::path &run_folder)
    : folder(run_folder),
      topology(folder / "topology.toml"),
      metrics(folder / "metrics.jsonl"),
      journal(folder / "journal"),
      checkpoints(folder / "checkpoints"),
      log(folder / "log.txt"),
      summary(folder / "summary.json"),
      trace(folder / "trace.json"),
      lock(folder / "lock") {}

run_paths::learner_files run_paths::of(const std::string &learner) const {
  if (learner.empty()) return {metrics, checkpoints};
  return {folder / ("metrics." + learner + ".jsonl"), checkpoints / learner};
}

folder_mark::folder_mark(const run_paths &paths)
    : folder_(paths.folder), lock_(paths.lock), file_(file_number(lock_)) {}

bool folder_mark::still_there() const {
  return file_number(lock_) == file_;
}

void folder_mark::require_there() const {
  if (!still_there())
    throw run_error(
        folder_.string() +
        ": the run's folder was removed, or another put in its place, while the run wrote it; nothing "
        "more is written there");
}

bool holds_finished_run(const fs::path &folder) {
  const auto file = run_paths(folder).summary;
  if (!fs::is_regular_file(file)) return false;
  std::ifstream in(file);
  const auto summary = nlohmann::json::parse(in, nullptr, false);
  return summary.is_object() && summary.value("status", "") == "finished";
}

void check_run_folder(const fs::path &folder, bool resume) {
  const run_paths paths(folder);
  check_writable(folder);
  if (!fs::exists(folder)) return;
  check_lock(paths);
  if (!resume) check_unused(paths);
}

run_folder::run_folder(const fs::path &folder, bool resume) : paths_(folder) {
  check_run_folder(folder, resume);
  make_folder(folder);
  lock_ = ::open(paths_.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0)
    refuse(folder, fmt::format("the lock file cannot be made: {}; choose another run.folder",
                               std::error_code(errno, std::generic_category()).message()));
  try {
    if (!take_lock(lock_)) refuse_locked(paths_);
    if (!resume) check_unused(paths_);  // somebody may have come and gone since the first look
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(lock_, 0) != 0 ||
        ::write(lock_, pid.data(), pid.size()) != static_cast<ssize_t>(pid.size()))
      refuse(folder, "the lock file cannot be written; is the disk full?");
    make_folder(paths_.journal);
    make_folder(paths_.checkpoints);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

run_folder::~run_folder() {
  ::close(lock_);
}

}  // namespace slipstream

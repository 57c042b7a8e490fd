#include "runtime/run_folder/json_lines.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "models/files/write_failure.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {

namespace {

std::string dumped(const nlohmann::json &value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

json_lines::json_lines(const std::filesystem::path &file)
    : file_(file), descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw write_failure(file_, errno);
}

json_lines::~json_lines() {
  ::close(descriptor_);
}

void json_lines::write(const nlohmann::json &line) {
  write_all(descriptor_, dumped(line, -1), file_);
}

void write_summary(const std::filesystem::path &file, const nlohmann::json &summary) {
  write_aside(file, dumped(summary, 2));
}

}  // namespace slipstream

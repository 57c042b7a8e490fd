#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace slipstream {

/// A JSON list of events, one a line, that is whole after every event: each is written, with the list's end
/// behind it, over the end that was there. The comma goes before an event: nothing follows the last one.
class trace_file {
 public:
  /// Begins the file anew. Throws run_error.
  explicit trace_file(const std::filesystem::path &file);
  ~trace_file();
  trace_file(const trace_file &) = delete;
  trace_file &operator=(const trace_file &) = delete;

  /// Appends one event, a JSON object on one line. Throws run_error; the list then ends as before.
  void write(std::string_view event);

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::int64_t end_ = 0;  ///< where the next event goes
  bool first_ = true;     ///< no event yet, so no comma
};

}  // namespace slipstream

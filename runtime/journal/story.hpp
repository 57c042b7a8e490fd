#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace slipstream {

/// One thing that happened to a prompt, or to its run meanwhile.
struct story_line {
  double seconds = 0;  ///< since the journal begins
  std::string state;   ///< that it came to, or "kept", "consumed", "resumed"
  std::string cause;
};

/// All that a journal says of one prompt, as far as it can be read; empty when the run drew no such prompt.
/// Throws input_error when there is no journal.
std::vector<story_line> read_story(const std::filesystem::path &journal, std::uint64_t id);

/// Lines of "     1.234 s  running   a sampler took it", without a newline at the end.
std::string to_string(const std::vector<story_line> &story);
/// [{"seconds", "state", "cause"}].
nlohmann::json to_json(const std::vector<story_line> &story);

}  // namespace slipstream

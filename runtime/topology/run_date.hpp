#pragma once

#include <filesystem>
#include <string>

namespace slipstream {

/// The date that a run's chat templates write, of the form "2026-11-30 14:05:09": the one that its folder's
/// topology.toml holds, so that a resume writes the same, else this moment.
std::string date_of_run(const std::filesystem::path &folder);

/// Whether a text is such a date.
bool is_date(const std::string &text);

}  // namespace slipstream

#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace slipstream {

/// Parses strict JSON. Throws input_error "WHERE:LINE:COL: error: ..." for bad syntax, a name given twice in
/// one object, or nesting deeper than 64.
nlohmann::json parse_json(std::string_view text, const std::string &where);

/// Reads a whole file. Throws input_error when it cannot be read.
std::string read_text(const std::filesystem::path &file);
nlohmann::json read_json(const std::filesystem::path &file);

}  // namespace slipstream

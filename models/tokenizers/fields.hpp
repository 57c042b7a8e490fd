#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace slipstream {

/// Reading tokenizer.json: every error is an input_error "FILE: error: FIELD: MESSAGE".
[[noreturn]] void refuse_field(const std::string &file, const std::string &field, const std::string &message);

/// The member `name` of an object; null when it is absent or this is no object.
const nlohmann::json &member(const nlohmann::json &content, std::string_view name);

/// A value for a message, cut when it is long.
std::string shown(const nlohmann::json &value);

/// The member "type" of an object; throws when it is none.
std::string type_of(const nlohmann::json &content, const std::string &field, const std::string &file);

/// A member that is a flag; `otherwise` when it is absent or null, throws when it is something else.
bool flag_of(const nlohmann::json &content, const char *name, bool otherwise, const std::string &field,
             const std::string &file);

/// A member that is an array; throws when it is something else.
const nlohmann::json &array_of(const nlohmann::json &content, std::string_view name, std::string_view field,
                               std::string_view file);

}  // namespace slipstream

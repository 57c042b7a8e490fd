#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/files/checkpoint.hpp"

namespace slipstream {

/// Reads folder/adapter_config.json (PEFT, peft_type LORA) without the values. The base is the folder that
/// base_model_name_or_path names, absolute or relative to here or to `folder`. Throws input_error naming file
/// and field for what is missing, unsupported or not there.
stored_adapter read_adapter_config(const std::filesystem::path &folder);

/// Whether the adapters' file holds a score head of its own.
bool holds_score_head(const std::filesystem::path &folder);

/// The adapter_config.json that PEFT loads.
nlohmann::json to_adapter_config(const model_spec &spec, const stored_adapter &adapter);

}  // namespace slipstream

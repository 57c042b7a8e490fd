#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace slipstream {

/// The special tokens that tokenizer.json's post_processor puts around a text.
struct frame {
  std::vector<std::int64_t> before, after;
};

/// Supported are null, ByteLevel, TemplateProcessing (its "single") and a Sequence of these. Throws
/// input_error naming `file` and field.
frame read_post_processor(const nlohmann::json &content, const std::string &file);

}  // namespace slipstream

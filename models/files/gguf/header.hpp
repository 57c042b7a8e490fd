#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "models/files/gguf/file.hpp"

namespace slipstream {

/// What a GGUF file's header holds, checked; views lie in `bytes`.
struct gguf_header {
  std::map<std::string, gguf_value, std::less<>> values;
  std::map<std::string, gguf_tensor, std::less<>> tensors;
};

/// Reads the header of a whole file's bytes. Throws input_error naming `file` and the key or tensor.
gguf_header read_gguf_header(std::string_view bytes, const std::filesystem::path &file);

/// Bytes that an element of a list takes at least.
std::uint64_t gguf_element_size(gguf_value::kind type);

}  // namespace slipstream

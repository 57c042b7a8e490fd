#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipstream {

/// A number format of GGUF files, with ggml's number and name for it: `block` values take `bytes` bytes.
struct gguf_type {
  std::uint32_t number = 0;
  const char *name = "";
  std::uint64_t block = 1, bytes = 0;
  /// Turns `count` whole blocks into float32, as gguf-py does, to the bit; null where it is not supported.
  void (*dequantise)(const char *from, std::uint64_t count, float *to) = nullptr;
};

/// The type of that number; null for one that ggml does not have.
const gguf_type *find_gguf_type(std::uint32_t number);
/// The type of that name in any case ("q8_0"); null for another one.
const gguf_type *find_gguf_type(std::string_view name);
/// "F32, F16, …": what can be read.
std::string readable_gguf_types();

}  // namespace slipstream

#pragma once

#include <cstdint>

namespace slipstream {

/// A half-precision number (IEEE 754 binary16) as float32.
float half_to_float(std::uint16_t bits);
/// The nearest half, ties to even; what is too large becomes an infinity.
std::uint16_t float_to_half(float value);

/// ggml's blocks to float32, `count` of them, in the order of operations that gguf-py has.
namespace blocks {

void f32(const char *from, std::uint64_t count, float *to);
void f16(const char *from, std::uint64_t count, float *to);
void bf16(const char *from, std::uint64_t count, float *to);
void q8_0(const char *from, std::uint64_t count, float *to);
void q4_0(const char *from, std::uint64_t count, float *to);
void q4_1(const char *from, std::uint64_t count, float *to);
void q5_0(const char *from, std::uint64_t count, float *to);
void q5_1(const char *from, std::uint64_t count, float *to);
void q4_k(const char *from, std::uint64_t count, float *to);
void q5_k(const char *from, std::uint64_t count, float *to);
void q6_k(const char *from, std::uint64_t count, float *to);

}  // namespace blocks
}  // namespace slipstream

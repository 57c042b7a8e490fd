#include "models/files/gguf/blocks.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace slipstream {
namespace {

// A field of a block at a byte; little-endian machines only, as all files here.
template <class T>
T field(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float half_at(const char *bytes) {
  return half_to_float(field<std::uint16_t>(bytes));
}

int byte_at(const char *bytes, int i) {
  return static_cast<unsigned char>(bytes[i]);
}

// Values 0..15 are the low halves of 16 bytes, values 16..31 their high halves.
int nibble(const char *bytes, int i) {
  return i < 16 ? byte_at(bytes, i) & 15 : byte_at(bytes, i - 16) >> 4;
}

// Q4_K and Q5_K: eight scales and eight minima of 6 bits in 12 bytes.
void scale_and_minimum(const char *packed, int i, int &scale, int &minimum) {
  if (i < 4) {
    scale = byte_at(packed, i) & 63;
    minimum = byte_at(packed, i + 4) & 63;
    return;
  }
  scale = (byte_at(packed, i + 4) & 15) | (byte_at(packed, i - 4) >> 6) << 4;
  minimum = byte_at(packed, i + 4) >> 4 | (byte_at(packed, i) >> 6) << 4;
}

}  // namespace

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float small = std::ldexp(static_cast<float>(mantissa), -24);
  return sign ? -small : small;
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t size = bits & 0x7fffffff;
  if (size > 0x7f800000) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (size >= 0x477ff000) return static_cast<std::uint16_t>(sign | 0x7c00);  // rounds beyond 65504
  if (size < 0x38800000) {  // a subnormal half: whole multiples of 2^-24
    const float steps = std::nearbyint(std::ldexp(std::bit_cast<float>(size), 24));
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(steps));
  }
  const std::uint32_t rounded = size + 0xfff + (size >> 13 & 1);
  return static_cast<std::uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

namespace blocks {

void f32(const char *from, std::uint64_t count, float *to) {
  std::memcpy(to, from, count * sizeof(float));
}

void f16(const char *from, std::uint64_t count, float *to) {
  for (std::uint64_t i = 0; i < count; ++i) to[i] = half_at(from + 2 * i);
}

void bf16(const char *from, std::uint64_t count, float *to) {
  for (std::uint64_t i = 0; i < count; ++i)
    to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(field<std::uint16_t>(from + 2 * i)) << 16);
}

void q8_0(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 34) {
    const float scale = half_at(from);
    for (int i = 0; i < 32; ++i) *to++ = static_cast<float>(static_cast<signed char>(from[2 + i])) * scale;
  }
}

void q4_0(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 18) {
    const float scale = half_at(from);
    for (int i = 0; i < 32; ++i) *to++ = scale * static_cast<float>(nibble(from + 2, i) - 8);
  }
}

void q4_1(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 20) {
    const float scale = half_at(from), minimum = half_at(from + 2);
    for (int i = 0; i < 32; ++i) *to++ = scale * static_cast<float>(nibble(from + 4, i)) + minimum;
  }
}

void q5_0(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 22) {
    const float scale = half_at(from);
    const auto high = field<std::uint32_t>(from + 2);
    for (int i = 0; i < 32; ++i) {
      const int value = nibble(from + 6, i) | static_cast<int>(high >> i & 1) << 4;
      *to++ = scale * static_cast<float>(value - 16);
    }
  }
}

void q5_1(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 24) {
    const float scale = half_at(from), minimum = half_at(from + 2);
    const auto high = field<std::uint32_t>(from + 4);
    for (int i = 0; i < 32; ++i) {
      const int value = nibble(from + 8, i) | static_cast<int>(high >> i & 1) << 4;
      *to++ = scale * static_cast<float>(value) + minimum;
    }
  }
}

void q4_k(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 144) {
    const float scale = half_at(from), minimum = half_at(from + 2);
    for (int part = 0; part < 8; ++part) {
      int s, m;
      scale_and_minimum(from + 4, part, s, m);
      const float d = scale * static_cast<float>(s), least = minimum * static_cast<float>(m);
      const char *values = from + 16 + 32 * (part / 2);
      for (int i = 0; i < 32; ++i)
        *to++ = d * static_cast<float>(byte_at(values, i) >> 4 * (part % 2) & 15) - least;
    }
  }
}

void q5_k(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 176) {
    const float scale = half_at(from), minimum = half_at(from + 2);
    for (int part = 0; part < 8; ++part) {
      int s, m;
      scale_and_minimum(from + 4, part, s, m);
      const float d = scale * static_cast<float>(s), least = minimum * static_cast<float>(m);
      const char *high = from + 16, *values = from + 48 + 32 * (part / 2);
      for (int i = 0; i < 32; ++i) {
        const int low = byte_at(values, i) >> 4 * (part % 2) & 15, bit = byte_at(high, i) >> part & 1;
        *to++ = d * static_cast<float>(low | bit << 4) - least;
      }
    }
  }
}

void q6_k(const char *from, std::uint64_t count, float *to) {
  for (; count > 0; --count, from += 210) {
    const float scale = half_at(from + 208);
    for (int i = 0; i < 256; ++i) {
      const int half = i / 128, part = i % 128 / 32, at = i % 32;
      const int low = byte_at(from, 64 * half + 32 * (part % 2) + at) >> 4 * (part / 2) & 15;
      const int high = byte_at(from + 128, 32 * half + at) >> 2 * part & 3;
      const float d = scale * static_cast<float>(static_cast<signed char>(from[192 + i / 16]));
      *to++ = d * static_cast<float>((low | high << 4) - 32);
    }
  }
}

}  // namespace blocks
}  // namespace slipstream

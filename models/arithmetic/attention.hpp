#pragma once

#include <cstddef>
#include <cstdint>

/// Causal attention in float32. A score is one chain of fused multiply-adds over the head's elements, an output one chain over the
/// tokens in their order, divided at the end by the sum of the weights: the bits of a row depend on its own sequence alone, and
/// are the same in prefill, decode and training.
namespace slipstream::arithmetic {

/// Tokens of a block of keys and values.
constexpr std::size_t block_tokens = 16;

/// Floats of one head's keys, or values, in a block.
constexpr std::size_t key_block_size(std::size_t head_dim) {
  return head_dim * block_tokens;
}
constexpr std::size_t value_block_size(std::size_t head_dim) {
  return (head_dim + 15) / 16 * 16 * block_tokens;
}

/// Writes one token's key [head_dim] as token `place` of a block: [head_dim][16 tokens].
void write_key(const float *key, std::size_t head_dim, std::size_t place, float *block);
/// Writes one token's value as token `place` of a block: [head_dim / 16, rounded up][16 tokens][16].
void write_value(const float *value, std::size_t head_dim, std::size_t place, float *block);

/// The blocks of one key head of one sequence: token t lies in block t / 16.
struct head_blocks {
  const float *const *keys = nullptr;
  const float *const *values = nullptr;
  std::size_t offset_keys = 0, offset_values = 0;  ///< of the head within each block pointer
};

/// A query that attends to tokens first .. last - 1.
struct attending_row {
  const float *query = nullptr;  ///< [head_dim]
  float *out = nullptr;          ///< [head_dim]
  std::size_t first = 0, last = 0;
};

/// out = softmax(query . keys / sqrt(head_dim)) values, of `count` rows that read the same key head.
void attend(const attending_row *rows, std::size_t count, const head_blocks &cache, std::size_t head_dim);

}  // namespace slipstream::arithmetic

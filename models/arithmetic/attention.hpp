#pragma once

#include <cstddef>
#include <cstdint>

/// Causal attention in float32. A score is one chain of fused multiply-adds over the head's elements, an
/// output one chain over the tokens in their order, divided at the end by the sum of the weights: the bits of
/// a row depend on its own sequence alone, and are the same in prefill, decode and training.
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

/// The blocks of one key head of one sequence: token t lies in block t / tokens.
struct head_blocks {
  const float *const *keys = nullptr;
  const float *const *values = nullptr;
  std::size_t offset_keys = 0, offset_values = 0;  ///< of the head within each block pointer
  std::size_t tokens = block_tokens;  ///< that a block holds, at most 16; places behind them are unused
};

/// A query that attends to tokens first .. last - 1.
struct attending_row {
  const float *query = nullptr;  ///< [head_dim]
  float *out = nullptr;          ///< [head_dim]
  std::size_t first = 0, last = 0;
};

/// out = softmax(query . keys / sqrt(head_dim)) values, of `count` rows that read the same key head.
void attend(const attending_row *rows, std::size_t count, const head_blocks &cache, std::size_t head_dim);

/// One sequence of `length` tokens: queries and what attend gave for them [length,heads,head_dim], keys and
/// values [length,kv_heads,head_dim], and the gradient of the output. Query head h reads key head h / (heads
/// / kv_heads) over the last `window` tokens, its own included; 0: all.
struct attention_pass {
  const float *q = nullptr, *k = nullptr, *v = nullptr, *out = nullptr, *gy = nullptr;
  std::size_t length = 0, heads = 0, kv_heads = 0, head_dim = 0, window = 0;
};

/// The gradients by one key head: writes gq of the query heads that read it and adds to its gk and gv, in
/// chains over the queries.
void attention_gradient(const attention_pass &pass, std::size_t kv_head, float *gq, float *gk, float *gv);

}  // namespace slipstream::arithmetic

#include "models/arithmetic/attention.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "models/arithmetic/rows.hpp"
#include "models/arithmetic/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/arithmetic/attention.cpp"
#include <hwy/foreach_target.h>

#include "models/arithmetic/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace slipstream::arithmetic::HWY_NAMESPACE {

// Rows, and panels of 16 of a head's elements, that are computed at once: what fits in the registers.
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
constexpr std::size_t most_rows = 6, most_panels = 4;
#else
constexpr std::size_t most_rows = 4, most_panels = 1;
#endif

/// scores[r][t] = query r . key t * scale for all tokens of `Blocks` blocks from `block` on; rows of scores
/// are `stride` apart. Sixteen scores are written a block: the next block overwrites those behind a short
/// block.
template <std::size_t Rows, std::size_t Blocks>
HWY_INLINE void compare_blocks(const attending_row *rows, const head_blocks &cache, std::size_t block,
                               std::size_t head_dim, float scale, float *scores, std::size_t stride) {
  const float *keys[Blocks];
  vector sums[Rows][Blocks * pieces];
  for (std::size_t b = 0; b < Blocks; ++b) keys[b] = cache.keys[block + b] + cache.offset_keys;
  for (auto &row : sums)
    for (auto &sum : row) sum = hn::Zero(floats());
  for (std::size_t d = 0; d < head_dim; ++d)
    for (std::size_t r = 0; r < Rows; ++r) {
      const vector q = all(rows[r].query[d]);
      for (std::size_t i = 0; i < Blocks * pieces; ++i)
        sums[r][i] = fused(q, load(keys[i / pieces] + d * block_tokens + i % pieces * width), sums[r][i]);
    }
  for (std::size_t i = 0; i < Blocks * pieces; ++i)
    for (std::size_t r = 0; r < Rows; ++r)
      store(hn::Mul(sums[r][i], all(scale)),
            scores + r * stride + (block + i / pieces) * cache.tokens + i % pieces * width);
}

/// Of blocks first .. last - 1. Few rows take several blocks at once, whose chains hide each other's latency.
template <std::size_t Rows>
void compare(const attending_row *rows, const head_blocks &cache, std::size_t first, std::size_t last,
             std::size_t head_dim, float scale, float *scores, std::size_t stride) {
  constexpr std::size_t at_once = std::max<std::size_t>(1, 8 / (Rows * pieces));
  for (; first + at_once <= last; first += at_once)
    compare_blocks<Rows, at_once>(rows, cache, first, head_dim, scale, scores, stride);
  for (; first < last; ++first) compare_blocks<Rows, 1>(rows, cache, first, head_dim, scale, scores, stride);
}

/// mixed[r][16 * Panels] += sum of scores[r][t] * value t over tokens first .. last - 1, element panels from
/// `panel` on.
template <std::size_t Rows, std::size_t Panels>
void mix(const float *scores, std::size_t stride, const head_blocks &cache, std::size_t first,
         std::size_t last, std::size_t panel, float *mixed, std::size_t mixed_stride) {
  constexpr std::size_t count = Panels * pieces;
  vector sums[Rows][count];
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t i = 0; i < count; ++i) sums[r][i] = load(mixed + r * mixed_stride + i * width);
  for (std::size_t t = first; t < last;) {
    const std::size_t block = t / cache.tokens, end = std::min(last, (block + 1) * cache.tokens);
    const float *values = cache.values[block] + cache.offset_values + panel * block_tokens * 16;
    for (; t < end; ++t) {
      const float *value = values + t % cache.tokens * 16;
      for (std::size_t i = 0; i < count; ++i) {
        const vector v = load(value + i / pieces * block_tokens * 16 + i % pieces * width);
        for (std::size_t r = 0; r < Rows; ++r) sums[r][i] = fused(all(scores[r * stride + t]), v, sums[r][i]);
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t i = 0; i < count; ++i) store(sums[r][i], mixed + r * mixed_stride + i * width);
}

template <std::size_t Rows>
void mix_all(const float *scores, std::size_t stride, const head_blocks &cache, std::size_t first,
             std::size_t last, std::size_t panels, float *mixed, std::size_t mixed_stride) {
  if (first >= last) return;
  std::size_t panel = 0;
  for (; panel + most_panels <= panels; panel += most_panels)
    mix<Rows, most_panels>(scores, stride, cache, first, last, panel, mixed + panel * 16, mixed_stride);
  const auto rest = [&]<std::size_t Panels>(std::integral_constant<std::size_t, Panels>) {
    if (panels - panel == Panels)
      mix<Rows, Panels>(scores, stride, cache, first, last, panel, mixed + panel * 16, mixed_stride);
  };
  if constexpr (most_panels > 1) {
    rest(std::integral_constant<std::size_t, 3>());
    rest(std::integral_constant<std::size_t, 2>());
    rest(std::integral_constant<std::size_t, 1>());
  }
}

template <std::size_t Rows>
void attend_rows(const attending_row *rows, const head_blocks &cache, std::size_t head_dim,
                 std::vector<float> &room) {
  std::size_t earliest = rows[0].first, latest = rows[0].last, common_first = earliest, common_last = latest;
  for (std::size_t r = 1; r < Rows; ++r) {
    earliest = std::min(earliest, rows[r].first);
    latest = std::max(latest, rows[r].last);
    common_first = std::max(common_first, rows[r].first);
    common_last = std::min(common_last, rows[r].last);
  }
  const std::size_t panels = (head_dim + 15) / 16, stride = latest + block_tokens, mixed_stride = panels * 16;
  room.resize(std::max(room.size(), Rows * (stride + mixed_stride)));
  float *scores = room.data(), *mixed = scores + Rows * stride;
  std::fill_n(mixed, Rows * mixed_stride, 0.0f);
  compare<Rows>(rows, cache, earliest / cache.tokens, (latest + cache.tokens - 1) / cache.tokens, head_dim,
                1.0f / std::sqrt(static_cast<float>(head_dim)), scores, stride);
  float sums[Rows];
  for (std::size_t r = 0; r < Rows; ++r) {
    float *own = scores + r * stride + rows[r].first;
    const std::size_t seen = rows[r].last - rows[r].first;
    sums[r] = exponentials(own, static_cast<std::int64_t>(seen), greatest(own, seen));
  }
  // each row's chain is whole, although the rows share most of the tokens
  common_last = std::max(common_first, common_last);
  for (std::size_t r = 0; r < Rows; ++r)
    mix_all<1>(scores + r * stride, stride, cache, rows[r].first, std::min(common_first, rows[r].last),
               panels, mixed + r * mixed_stride, mixed_stride);
  mix_all<Rows>(scores, stride, cache, common_first, common_last, panels, mixed, mixed_stride);
  for (std::size_t r = 0; r < Rows; ++r) {
    mix_all<1>(scores + r * stride, stride, cache, std::max(common_last, rows[r].first), rows[r].last, panels,
               mixed + r * mixed_stride, mixed_stride);
    for (std::size_t d = 0; d < head_dim; ++d) rows[r].out[d] = mixed[r * mixed_stride + d] / sums[r];
  }
}

template <std::size_t Rows>
void attend_some(const attending_row *rows, std::size_t count, const head_blocks &cache, std::size_t head_dim,
                 std::vector<float> &room) {
  if constexpr (Rows > 1) {
    if (count < Rows) return attend_some<Rows - 1>(rows, count, cache, head_dim, room);
  }
  attend_rows<Rows>(rows, cache, head_dim, room);
}

void attend_all(const attending_row *rows, std::size_t count, const head_blocks &cache,
                std::size_t head_dim) {
  thread_local std::vector<float> room;
  for (; count > 0;) {
    const std::size_t now = std::min(count, most_rows);
    attend_some<most_rows>(rows, now, cache, head_dim, room);
    rows += now;
    count -= now;
  }
}

}  // namespace slipstream::arithmetic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipstream::arithmetic {
namespace {

HWY_EXPORT(attend_all);

}  // namespace

void write_key(const float *key, std::size_t head_dim, std::size_t place, float *block) {
  for (std::size_t d = 0; d < head_dim; ++d) block[d * block_tokens + place] = key[d];
}

void write_value(const float *value, std::size_t head_dim, std::size_t place, float *block) {
  for (std::size_t d = 0; d < head_dim; d += 16)
    std::copy_n(value + d, std::min<std::size_t>(16, head_dim - d), block + d * block_tokens + place * 16);
}

void attend(const attending_row *rows, std::size_t count, const head_blocks &cache, std::size_t head_dim) {
  HWY_DYNAMIC_DISPATCH(attend_all)(rows, count, cache, head_dim);
}

}  // namespace slipstream::arithmetic
#endif

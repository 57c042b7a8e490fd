#include "models/arithmetic/product.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/arithmetic/parallel.hpp"
#include "models/arithmetic/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/arithmetic/product.cpp"
#include <hwy/foreach_target.h>

#include "models/arithmetic/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace slipstream::arithmetic::HWY_NAMESPACE {

// What fits in the registers: 8 rows by 3 panels of AVX-512, 6 rows by 1 panel of AVX2 or NEON.
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
constexpr std::size_t tile_rows = 8, tile_panels = panels_together;
#else
constexpr std::size_t tile_rows = 6, tile_panels = 1;
#endif

/// Rows of a by neighbouring panels of b, over `depth` of k.
struct tile_work {
  const float *a;
  std::size_t row_stride, k_stride;
  const void *b;            ///< the first panel
  std::size_t panel_bytes;  ///< from one panel to the next
  const float *scales;      ///< of the first panel's columns; int8
  std::size_t depth;
  float *c;
  std::size_t c_stride;
  std::size_t columns;  ///< of c that are there; the last panel may have fewer than sixteen
  bool carry;
};

HWY_INLINE vector weights(const float *panel, std::size_t at, const vector &) {
  return load(panel + at);
}
HWY_INLINE vector weights(const hwy::bfloat16_t *panel, std::size_t at, const vector &) {
  const hn::Rebind<hwy::bfloat16_t, floats> narrow;
  return hn::PromoteTo(floats(), hn::LoadU(narrow, panel + at));
}
HWY_INLINE vector weights(const std::int8_t *panel, std::size_t at, const vector &scale) {
  const hn::Rebind<std::int8_t, floats> narrow;
  return hn::Mul(hn::ConvertTo(floats(), hn::PromoteTo(ints(), hn::LoadU(narrow, panel + at))), scale);
}

template <std::size_t Rows, std::size_t Panels, class Weight>
void tile(const tile_work &w) {
  constexpr std::size_t count = Panels * pieces;
  vector sums[Rows][count], scale[count];
  const Weight *b[Panels];
  for (std::size_t p = 0; p < Panels; ++p)
    b[p] = reinterpret_cast<const Weight *>(static_cast<const unsigned char *>(w.b) + p * w.panel_bytes);
  for (std::size_t i = 0; i < count; ++i) scale[i] = w.scales ? load(w.scales + i * width) : all(1.0f);
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t column = i * width;
      sums[r][i] = w.carry && column < w.columns
                       ? load_some(w.c + r * w.c_stride + column, w.columns - column)
                       : hn::Zero(floats());
    }
  const float *a = w.a;
  for (std::size_t k = 0; k < w.depth; ++k, a += w.k_stride) {
    vector value[count];
    for (std::size_t i = 0; i < count; ++i)
      value[i] = weights(b[i / pieces], k * panel_width + i % pieces * width, scale[i]);
    for (std::size_t r = 0; r < Rows; ++r) {
      const vector x = all(a[r * w.row_stride]);
      for (std::size_t i = 0; i < count; ++i) sums[r][i] = fused(x, value[i], sums[r][i]);
    }
  }
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t i = 0; i < count; ++i)
      if (const std::size_t column = i * width; column < w.columns)
        store_some(sums[r][i], w.c + r * w.c_stride + column, w.columns - column);
}

template <std::size_t Rows, std::size_t Panels, class Weight>
void tile_of(std::size_t rows, const tile_work &w) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return tile_of<Rows - 1, Panels, Weight>(rows, w);
  }
  tile<Rows, Panels, Weight>(w);
}

/// All rows by up to tile_panels panels.
template <class Weight>
void strip(std::size_t rows, std::size_t panels, tile_work w) {
  while (rows > 0) {
    const std::size_t now = std::min(rows, tile_rows);
    if (panels == 1)
      tile_of<tile_rows, 1, Weight>(now, w);
    else if (panels == 2)
      tile_of<tile_rows, std::min<std::size_t>(2, tile_panels), Weight>(now, w);
    else
      tile_of<tile_rows, tile_panels, Weight>(now, w);
    w.a += now * w.row_stride;
    w.c += now * w.c_stride;
    rows -= now;
  }
}

/// Weights as float32, [depth][16].
template <class Weight>
void widen(const void *panel, const float *scales, std::size_t depth, float *to) {
  for (std::size_t p = 0; p < pieces; ++p) {
    const vector scale = scales ? load(scales + p * width) : all(1.0f);
    for (std::size_t k = 0; k < depth; ++k) {
      const std::size_t at = k * panel_width + p * width;
      store(weights(static_cast<const Weight *>(panel), at, scale), to + at);
    }
  }
}

/// A strip's weights are turned into float32 once where several tiles of rows read them.
template <class Weight>
void packed_strip(std::size_t rows, std::size_t panels, tile_work w) {
  if (rows <= tile_rows || std::is_same_v<Weight, float>) return strip<Weight>(rows, panels, w);
  thread_local std::vector<float> wide;
  wide.resize(std::max(wide.size(), tile_panels * w.depth * panel_width));
  for (std::size_t p = 0; p < panels; ++p)
    widen<Weight>(static_cast<const unsigned char *>(w.b) + p * w.panel_bytes,
                  w.scales ? w.scales + p * panel_width : nullptr, w.depth,
                  wide.data() + p * w.depth * panel_width);
  w.b = wide.data();
  w.scales = nullptr;
  w.panel_bytes = w.depth * panel_width * sizeof(float);
  strip<float>(rows, panels, w);
}

void multiply_packed(const operand &a, std::size_t rows, const packed_matrix &b, std::size_t first,
                     std::size_t last, float *c, std::size_t c_stride, bool carry) {
  for (std::size_t panel = first; panel < last; panel += tile_panels) {
    const std::size_t panels = std::min(tile_panels, last - panel), column = panel * panel_width;
    const std::size_t size = b.format() == weight_format::float32    ? sizeof(float)
                             : b.format() == weight_format::bfloat16 ? 2
                                                                     : 1;
    const tile_work w{a.data,
                      a.row_stride,
                      a.k_stride,
                      b.panel(panel),
                      b.depth() * panel_width * size,
                      b.format() == weight_format::int8 ? b.scales(panel) : nullptr,
                      b.depth(),
                      c + column,
                      c_stride,
                      b.columns() - column,
                      carry};
    switch (b.format()) {
      case weight_format::float32:
        packed_strip<float>(rows, panels, w);
        break;
      case weight_format::bfloat16:
        packed_strip<hwy::bfloat16_t>(rows, panels, w);
        break;
      case weight_format::int8:
        packed_strip<std::int8_t>(rows, panels, w);
        break;
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
/// to[k][0 .. 3] of `width` k: four rows of b become four columns, in blocks of four by four.
HWY_INLINE void pack_four(const float *from, std::size_t stride, float *to) {
  const floats d;
  const auto a = load(from), b = load(from + stride), c = load(from + 2 * stride),
             e = load(from + 3 * stride);
  const auto ab_low = hn::InterleaveLower(d, a, b), ab_high = hn::InterleaveUpper(d, a, b),
             ce_low = hn::InterleaveLower(d, c, e), ce_high = hn::InterleaveUpper(d, c, e);
  const hn::RepartitionToWide<floats> pairs;
  const auto two = [&](const vector &x) { return hn::BitCast(pairs, x); };
  HWY_ALIGN float turned[4][width];
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, two(ab_low), two(ce_low))), d, turned[0]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, two(ab_low), two(ce_low))), d, turned[1]);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, two(ab_high), two(ce_high))), d, turned[2]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, two(ab_high), two(ce_high))), d, turned[3]);
  for (std::size_t k = 0; k < width; ++k)
    std::memcpy(to + k * panel_width, turned[k % 4] + k / 4 * 4, 4 * sizeof(float));
}
#endif

/// to[depth][16] of columns column .. column + 15 of b; those from `columns` on are 0.
void pack_panel(const operand &b, std::size_t depth, std::size_t column, std::size_t columns, float *to) {
  const std::size_t valid = std::min(panel_width, columns - column);
  if (valid < panel_width) std::fill(to, to + depth * panel_width, 0.0f);
  const float *from = b.data + column * b.row_stride;
  if (b.row_stride == 1) {
    for (std::size_t k = 0; k < depth; ++k) std::copy_n(from + k * b.k_stride, valid, to + k * panel_width);
    return;
  }
  std::size_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  if (b.k_stride == 1 && valid == panel_width)
    for (; k + width <= depth; k += width)
      for (std::size_t i = 0; i < panel_width; i += 4)
        pack_four(from + i * b.row_stride + k, b.row_stride, to + k * panel_width + i);
#endif
  for (; k < depth; ++k)
    for (std::size_t i = 0; i < valid; ++i) to[k * panel_width + i] = from[i * b.row_stride + k * b.k_stride];
}

// Of k and of rows that are computed at once, so that both factors stay in the processor's second cache.
constexpr std::size_t depth_block = 576, row_block = 1024;

void multiply_packing(const operand &a, std::size_t rows, const operand &b, std::size_t depth,
                      std::size_t first, std::size_t last, float *c, std::size_t c_stride, bool carry) {
  thread_local std::vector<float> packed;
  packed.resize(std::max(packed.size(), tile_panels * depth_block * panel_width));
  for (std::size_t k = 0; k < depth || (k == 0 && !carry); k += depth_block) {
    const std::size_t deep = std::min(depth_block, depth - k);
    for (std::size_t row = 0; row < rows; row += row_block) {
      const std::size_t high = std::min(row_block, rows - row);
      for (std::size_t column = first; column < last; column += tile_panels * panel_width) {
        const std::size_t panels = std::min(tile_panels, (last - column + panel_width - 1) / panel_width);
        const operand piece{b.data + k * b.k_stride, b.row_stride, b.k_stride};
        for (std::size_t p = 0; p < panels; ++p)
          pack_panel(piece, deep, column + p * panel_width, last, packed.data() + p * deep * panel_width);
        strip<float>(high, panels,
                     {a.data + row * a.row_stride + k * a.k_stride, a.row_stride, a.k_stride, packed.data(),
                      deep * panel_width * sizeof(float), nullptr, deep, c + row * c_stride + column,
                      c_stride, last - column, carry || k > 0});
      }
    }
  }
}

}  // namespace slipstream::arithmetic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipstream::arithmetic {
namespace {

HWY_EXPORT(multiply_packed);
HWY_EXPORT(multiply_packing);
HWY_EXPORT(pack_panel);

std::uint16_t to_bfloat16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bfloat16(std::uint16_t value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
  float result = 0;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// One panel [depth][16] as bytes of -127 .. 127, and the scales of its columns.
void quantise(const float *panel, std::size_t depth, std::int8_t *to, float *scales) {
  for (std::size_t column = 0; column < panel_width; ++column) {
    float greatest = 0.0f;
    for (std::size_t k = 0; k < depth; ++k)
      greatest = std::max(greatest, std::abs(panel[k * panel_width + column]));
    const float scale = scales[column] = greatest / 127.0f;
    for (std::size_t k = 0; k < depth; ++k) {
      const float value = panel[k * panel_width + column];
      to[k * panel_width + column] =
          static_cast<std::int8_t>(scale > 0 ? std::nearbyint(value / scale) : 0.0f);
    }
  }
}

std::size_t size_of(weight_format format) {
  return format == weight_format::float32 ? 4 : format == weight_format::bfloat16 ? 2 : 1;
}

}  // namespace

packed_matrix::packed_matrix(const operand &b, std::size_t depth, std::size_t columns, weight_format format)
    : depth_(depth),
      columns_(columns),
      format_(format),
      values_(panels() * panel_width * depth * size_of(format)) {
  if (format == weight_format::int8) scales_.resize(panels() * panel_width);
  share(panels(), 8.0 * static_cast<double>(depth * columns), [&](std::size_t panel) { fill(panel, b); });
}

void packed_matrix::fill(std::size_t panel, const operand &b) {
  thread_local std::vector<float> wide;
  const std::size_t step = depth_ * panel_width;
  unsigned char *to = values_.data() + panel * step * size_of(format_);
  if (format_ != weight_format::float32) wide.resize(std::max(wide.size(), step));
  float *floats = format_ == weight_format::float32 ? reinterpret_cast<float *>(to) : wide.data();
  HWY_DYNAMIC_DISPATCH(pack_panel)(b, depth_, panel * panel_width, columns_, floats);
  if (format_ == weight_format::bfloat16)
    for (std::size_t i = 0; i < step; ++i) {
      const std::uint16_t value = to_bfloat16(wide[i]);
      std::memcpy(to + i * 2, &value, sizeof value);
    }
  if (format_ == weight_format::int8)
    quantise(wide.data(), depth_, reinterpret_cast<std::int8_t *>(to), scales_.data() + panel * panel_width);
}

const void *packed_matrix::panel(std::size_t index) const {
  return values_.data() + index * depth_ * panel_width * size_of(format_);
}

std::vector<float> packed_matrix::unpacked() const {
  std::vector<float> result(columns_ * depth_);
  for (std::size_t column = 0; column < columns_; ++column) {
    const auto *from = static_cast<const unsigned char *>(panel(column / panel_width));
    for (std::size_t k = 0; k < depth_; ++k) {
      const std::size_t at = k * panel_width + column % panel_width;
      float &to = result[column * depth_ + k];
      if (format_ == weight_format::float32) std::memcpy(&to, from + at * 4, 4);
      if (format_ == weight_format::int8)
        to = static_cast<float>(reinterpret_cast<const std::int8_t *>(from)[at]) * scales_[column];
      if (format_ == weight_format::bfloat16) {
        std::uint16_t value = 0;
        std::memcpy(&value, from + at * 2, sizeof value);
        to = from_bfloat16(value);
      }
    }
  }
  return result;
}

void multiply(const operand &a, std::size_t rows, const packed_matrix &b, std::size_t first, std::size_t last,
              float *c, std::size_t c_stride, bool carry) {
  HWY_DYNAMIC_DISPATCH(multiply_packed)(a, rows, b, first, last, c, c_stride, carry);
}

void multiply(const operand &a, std::size_t rows, const operand &b, std::size_t depth, std::size_t first,
              std::size_t last, float *c, std::size_t c_stride, bool carry) {
  HWY_DYNAMIC_DISPATCH(multiply_packing)(a, rows, b, depth, first, last, c, c_stride, carry);
}

}  // namespace slipstream::arithmetic
#endif

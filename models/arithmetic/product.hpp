#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/arithmetic/weight_format.hpp"

/// Matrix products in float32 whose every output element is one chain of fused multiply-adds, from k = 0 on:
/// c = fma(a[k], b[k], c). An element therefore has the same bits whatever else is computed with it: other
/// rows, other columns, any number of threads, any width of the registers. (Vectors lie across columns; a
/// chain that is cut goes on from memory.)
namespace slipstream::arithmetic {

/// Columns of a panel: 16 neighbouring columns of a matrix, interleaved, so that one k is one cache line.
constexpr std::size_t panel_width = 16;

/// Panels that are computed together where there are as many: threads should share a product by these.
constexpr std::size_t panels_together = 3;

/// A matrix [rows, k] whose element (r, k) lies at data[r * row_stride + k * k_stride].
struct operand {
  const float *data = nullptr;
  std::size_t row_stride = 0, k_stride = 0;
};

/// The right factor of a product, b[k, columns], in panels. Read-only once it is packed; any number of
/// threads may use it.
class packed_matrix {
 public:
  packed_matrix() = default;
  /// Of b whose element (k, column) is b.data[column * b.row_stride + k * b.k_stride]; a weight [out, in] has
  /// row_stride = in, k_stride = 1. Threads share the work.
  packed_matrix(const operand &b, std::size_t depth, std::size_t columns,
                weight_format format = weight_format::float32);

  std::size_t depth() const { return depth_; }
  std::size_t columns() const { return columns_; }
  std::size_t panels() const { return (columns_ + panel_width - 1) / panel_width; }
  weight_format format() const { return format_; }
  std::size_t bytes() const { return values_.size() + scales_.size() * sizeof(float); }
  /// The float32 matrix [columns, depth] that products compute with.
  std::vector<float> unpacked() const;

  const void *panel(std::size_t index) const;
  const float *scales(std::size_t index) const { return scales_.data() + index * panel_width; }

 private:
  void fill(std::size_t panel, const operand &b);

  std::size_t depth_ = 0, columns_ = 0;
  weight_format format_ = weight_format::float32;
  std::vector<unsigned char> values_;
  std::vector<float> scales_;  ///< of each column; int8 only
};

/// c[rows, columns] (rows `c_stride` apart) of panels [first, last) of b: a b, or c + a b where `carry`: the
/// chain goes on from what is in c. `a` has b.depth() columns.
void multiply(const operand &a, std::size_t rows, const packed_matrix &b, std::size_t first, std::size_t last,
              float *c, std::size_t c_stride, bool carry = false);

/// The same with a right factor that is packed as it is needed: worth it from some 50 rows on. Columns
/// [first, last).
void multiply(const operand &a, std::size_t rows, const operand &b, std::size_t depth, std::size_t first,
              std::size_t last, float *c, std::size_t c_stride, bool carry = false);

}  // namespace slipstream::arithmetic

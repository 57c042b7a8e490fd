#pragma once

namespace slipstream::arithmetic {

/// How the weights of a packed matrix are stored. Each weight is turned into float32 with one rounding; then
/// the chain is the same, so that a product has the bits of one by the float32 matrix
/// `packed_matrix::unpacked()`.
enum class weight_format {
  float32,
  bfloat16,  ///< rounded to nearest, ties to even
  int8,      ///< of each column: its greatest magnitude / 127 times -127 .. 127
};

}  // namespace slipstream::arithmetic

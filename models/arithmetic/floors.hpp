#pragma once

#include <cstddef>

/// Loops that do nothing but what bounds every kernel: to be timed, so that speeds can be compared with the
/// machine's own.
namespace slipstream::arithmetic {

/// Reads `n` floats, each once; returns their sum.
float read_all(const float *from, std::size_t n);

/// `rounds` of independent multiply-adds in registers; and how many operations that is, two a multiply-add.
float multiply_adds(std::size_t rounds);
std::size_t operations_of(std::size_t rounds);

}  // namespace slipstream::arithmetic

#pragma once

#include <cstdint>

/// What this machine can do at best, measured: the floors that speeds are compared with.
namespace slipstream {

/// Bytes a second that `threads` threads read from memory that no cache holds.
double read_bandwidth(std::int64_t threads);

/// Floating-point operations a second (two a multiply-add) that `threads` threads compute in registers, in
/// float32.
double peak_operations(std::int64_t threads);

}  // namespace slipstream

#pragma once

#include <cstdint>

#include "models/network/kernels.hpp"

/// Gradients of the element-wise kernels and of attention, float32 on the CPU. `gy` is the gradient of the
/// output.
namespace slipstream::kernels {

/// Writes gx[rows,width] and adds to gw[width].
void rms_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
                       const float *gy, float *gx, float *gw);

/// Writes gx[rows,width] and adds to gw[width]; the bias' gradient is the sum of gy.
void layer_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *gain, float eps,
                         const float *gy, float *gx, float *gw);

void gelu_tanh_gradient(const float *x, std::int64_t n, const float *gy, float *gx);

/// Writes the gradient [rows,2*width] of both halves of gate_up.
void silu_gate_gradient(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                        float *g);

/// Gradients of attend_row over one contiguous sequence: writes gq[heads,head_dim] and adds to gk and gv,
/// laid out as the `length` rows of k and v [length,kv_heads,head_dim]. `out` is what attend_row gave.
void attend_row_gradient(const float *q, const float *k, const float *v, const float *out, const float *gy,
                         std::int64_t length, std::int64_t heads, std::int64_t kv_heads,
                         std::int64_t head_dim, float *gq, float *gk, float *gv);

}  // namespace slipstream::kernels

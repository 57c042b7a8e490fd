#pragma once

#include <cstdint>

namespace slipstream {

/// The numbers of one AdamW step, the same for all parameters.
struct adamw_factors {
  double scale;  ///< on the gradients
  double beta1, beta2;
  double rate;             ///< learning rate / (1 - beta1^step)
  double root_correction;  ///< 1 / sqrt(1 - beta2^step)
  double eps;
  double keep;  ///< 1 - learning rate · weight decay
};

/// One pass over n parameters: reads p, g, m, v once and writes p, m, v once. `decays` may be null (all
/// decay). Wide vectors are used where the processor has them; the bits do not depend on it.
void adamw_range(float *p, const float *g, float *m, float *v, const bool *decays, std::int64_t n,
                 const adamw_factors &factors);
void adamw_range(double *p, const double *g, double *m, double *v, const bool *decays, std::int64_t n,
                 const adamw_factors &factors);

/// Sum of squares in float64 over a fixed number of interleaved partial sums.
double sum_of_squares(const float *x, std::int64_t n);
double sum_of_squares(const double *x, std::int64_t n);

}  // namespace slipstream

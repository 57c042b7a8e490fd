#pragma once

#include <string>

namespace slipstream {

/// The library that this process multiplies matrices with.
struct loaded_blas {
  std::string library;  ///< its file; empty: none is loaded, or LibTorch brings one inside of itself
  int openblas =
      -1;  ///< what OpenBLAS was built with: 0 nothing, 1 threads of its own, 2 OpenMP; -1: no OpenBLAS
};

loaded_blas find_blas();

/// A line that says why training is slow with this BLAS and what to do; empty when there is nothing to say.
/// LibTorch computes on OpenMP's threads: the OpenMP build of OpenBLAS shares them, any other has threads of
/// its own that take the cores from LibTorch's, or none.
std::string blas_warning(const loaded_blas &blas);
/// Says it on standard error.
void warn_of_blas();

}  // namespace slipstream

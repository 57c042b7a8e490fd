#include "runtime/plumbing/blas.hpp"

#include <algorithm>
#include <filesystem>

#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

TEST_CASE("only a BLAS that shares LibTorch's threads goes without a warning") {
  CHECK(blas_warning({"/usr/lib/openblas-openmp/libopenblasp-r0.3.21.so", 2}).empty());
  CHECK(blas_warning({"", -1}).empty());  // inside of LibTorch
  const auto threads = blas_warning({"/usr/lib/openblas-pthread/libopenblasp-r0.3.21.so", 1});
  CHECK_THAT(
      threads,
      Contains("/usr/lib/openblas-pthread/libopenblasp-r0.3.21.so (OpenBLAS with threads of its own)"));
  CHECK_THAT(threads, Contains("install the OpenMP build of OpenBLAS"));
  CHECK(std::count(threads.begin(), threads.end(), '\n') == 1);
  CHECK_THAT(blas_warning({"/usr/lib/libopenblas.so.0", 0}), Contains("(OpenBLAS for one thread)"));
  CHECK_THAT(blas_warning({"/usr/lib/blas/libblas.so.3", -1}), Contains("libblas.so.3 (not OpenBLAS)"));
}

TEST_CASE("the BLAS of this process is a file that is there, or LibTorch's own") {
  const auto blas = find_blas();
  INFO(blas.library << ", " << blas.openblas);
  if (!blas.library.empty()) CHECK(std::filesystem::is_regular_file(blas.library));
  CHECK((blas.openblas == -1 || (blas.openblas <= 2 && !blas.library.empty())));
}

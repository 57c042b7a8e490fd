#include "runtime/plumbing/blas.hpp"

#include <dlfcn.h>

#include <filesystem>

#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

/// The file that a symbol of this process comes from; empty when there is no such symbol.
std::string file_of(const void *symbol) {
  Dl_info found{};
  if (!symbol || ::dladdr(symbol, &found) == 0 || !found.dli_fname) return "";
  std::error_code missing;
  const auto file = std::filesystem::canonical(found.dli_fname, missing);  // behind Debian's alternatives
  return missing ? found.dli_fname : file.string();
}

}  // namespace

loaded_blas find_blas() {
  const auto library = file_of(::dlsym(RTLD_DEFAULT, "sgemm_"));
  if (library.empty() || std::filesystem::path(library).filename().string().starts_with("libtorch"))
    return {};
  // OpenBLAS may be loaded for LAPACK beside another BLAS: what counts is what this library stands on.
  auto *handle = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return {library, -1};
  loaded_blas found{library, -1};
  if (auto *built_with = ::dlsym(handle, "openblas_get_parallel"))
    found = {file_of(built_with), reinterpret_cast<int (*)()>(built_with)()};
  ::dlclose(handle);
  return found;
}

std::string blas_warning(const loaded_blas &blas) {
  if (blas.library.empty() || blas.openblas == 2) return "";
  const auto *what = blas.openblas == 1   ? "OpenBLAS with threads of its own"
                     : blas.openblas == 0 ? "OpenBLAS for one thread"
                                          : "not OpenBLAS";
  return "warning: matrices are multiplied by " + blas.library + " (" + what +
         "), with which training can take twice as long and more: install the OpenMP build of OpenBLAS "
         "(Debian's "
         "libopenblas0-openmp) and select it for libblas.so.3 and libopenblas.so.0 with "
         "update-alternatives.\n";
}

void warn_of_blas() {
  say(blas_warning(find_blas()));
}

}  // namespace slipstream

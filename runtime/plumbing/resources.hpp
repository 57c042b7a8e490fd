#pragma once

#include <cstddef>
#include <string>

namespace slipstream {

/// Resources that a run needs in addition to the memory of its tensors.
struct resource_needs {
  std::size_t threads = 0, descriptors = 0;
  std::size_t address_space = 0;  ///< bytes
};

/// Takes all of it at once and gives it back, since whoever lacks a thread or a descriptor later often hangs
/// or aborts. Throws run_error that names the limit which is too low, what is needed and what there is.
void require_resources(const resource_needs &needs);

/// Installs a std::terminate handler: an uncaught exception of any thread then ends the process with exit
/// code 1 and one line that says why, instead of an abort.
void install_last_words();

}  // namespace slipstream

#pragma once

#include <cstddef>
#include <string>

namespace slipstream {

/// What a run takes from its process beside the memory of its tensors.
struct resource_needs {
  std::size_t threads = 0, descriptors = 0;
  std::size_t address_space = 0;  ///< bytes
};

/// Takes all of it at once and gives it back, since whoever lacks a thread or a descriptor later often hangs
/// or aborts. Throws run_error that names the limit which is too low, what is needed and what there is.
void require_resources(const resource_needs &needs);

/// From now on a thread that ends by an exception, and a call of std::terminate, end the process with one
/// line that says why, and exit code 1; `while_doing` says what for when there is no exception.
void install_last_words(const char *while_doing);

}  // namespace slipstream

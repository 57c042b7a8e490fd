#pragma once

#include <stdexcept>
#include <string>

namespace slipstream {

/// Bad usage, configuration or input: the program ends with exit code 2. The message stands alone: it names
/// the file (and line, column and key where there are any) and the mend.
class input_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The run itself failed (exit code 1).
class run_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace slipstream

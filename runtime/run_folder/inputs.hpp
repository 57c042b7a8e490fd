#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace slipstream {

/// A file that a run reads and does not write: which key names it, and where it lies.
struct run_input {
  std::string what;  ///< "[actors.data] dataset"
  std::filesystem::path file;
};

/// Notes size and checksum of each file in `folder`/inputs.json, when the run begins. Throws run_error.
void write_inputs(const std::filesystem::path &folder, const std::vector<run_input> &inputs);

/// Compares with what was noted: a resume must find the same files. A run without notes is older, and passes,
/// and so does a file that is not there. Throws input_error naming the file, its key and the mend.
void check_inputs(const std::filesystem::path &folder, const std::vector<run_input> &inputs);

}  // namespace slipstream

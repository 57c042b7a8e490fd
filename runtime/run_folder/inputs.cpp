#include "runtime/run_folder/inputs.hpp"

#include <fmt/format.h>

#include "models/error.hpp"
#include "models/files/checksum.hpp"
#include "models/files/json.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char *notes_name = "inputs.json";

// The note of an input, or null.
const json *noted(const json &notes, const run_input &input) {
  for (const auto &note : notes)
    if (note.value("what", "") == input.what && note.value("name", "") == input.file.filename().string())
      return &note;
  return nullptr;
}

}  // namespace

void write_inputs(const fs::path &folder, const std::vector<run_input> &inputs) {
  json notes = json::array();
  for (const auto &[what, file] : inputs)
    notes.push_back({{"what", what},
                     {"name", file.filename().string()},
                     {"file", fs::absolute(file).lexically_normal().string()},
                     {"bytes", fs::file_size(file)},
                     {"xxh64", file_checksum(file)}});
  write_aside(folder / notes_name, json{{"inputs", notes}}.dump(2) + "\n");
}

void check_inputs(const fs::path &folder, const std::vector<run_input> &inputs) {
  const fs::path file = folder / notes_name;
  if (!fs::exists(file)) return;
  const json content = read_json(file);
  const json notes = content.is_object() ? content.value("inputs", json()) : json();
  if (!notes.is_array())
    throw input_error(
        fmt::format("{}: error: holds no list of inputs; remove it to resume without", file.string()));
  for (const auto &input : inputs) {
    const auto *note = noted(notes, input);
    if (!note || !fs::exists(input.file)) continue;
    if (note->value("bytes", std::uintmax_t{0}) == fs::file_size(input.file) &&
        note->value("xxh64", "") == file_checksum(input.file))
      continue;
    throw input_error(fmt::format(
        "{}: error: {} has other contents than when the run began, so that its journal speaks of "
        "other lines and weights; put the old file back, begin a run of another name, or remove {} "
        "to go on with the file as it is",
        input.file.string(), input.what, file.string()));
  }
}

}  // namespace slipstream

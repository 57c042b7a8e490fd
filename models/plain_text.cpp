#include "models/plain_text.hpp"

#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <typeinfo>
#include <variant>

#include "models/error.hpp"

namespace slipstream {
namespace {

std::string first_line(const std::string &text) {
  return text.substr(0, text.find('\n'));
}

std::string of_files(const std::filesystem::filesystem_error &problem) {
  const auto &file = problem.path1();
  const auto words = problem.code().message();
  if (file.empty()) return "a file or folder cannot be used: " + words;
  return file.string() + ": error: cannot be used: " + words +
         "; look at the path, its permissions and the room on its disk";
}

/// The tensor library's exceptions are known by the namespace of their type, so that this file does not need
/// it.
bool is_of_tensors(const std::exception &problem) {
  return std::string_view(typeid(problem).name()).starts_with("N3c10");
}

std::string of_tensors(const std::exception &problem) {
  const std::string text = first_line(problem.what());
  if (text.find("allocate") != std::string::npos || text.find("out of memory") != std::string::npos)
    return "the memory does not suffice: " + text;
  return "the tensor library refused a computation (please report it): " + text;
}

}  // namespace

std::string plain_text(const std::exception &problem) {
  if (dynamic_cast<const input_error *>(&problem) || dynamic_cast<const run_error *>(&problem))
    return problem.what();
  if (const auto *files = dynamic_cast<const std::filesystem::filesystem_error *>(&problem))
    return of_files(*files);
  if (is_of_tensors(problem)) return of_tensors(problem);
  if (dynamic_cast<const nlohmann::json::exception *>(&problem))
    return std::string("a JSON value is not of the form that it must have (") + problem.what() +
           "); was the file written by another version?";
  if (typeid(problem) == typeid(std::runtime_error))  // nobody's own: of LibTorch, too
    return "a library refused its work (please report it): " + first_line(problem.what());
  if (dynamic_cast<const std::bad_alloc *>(&problem)) return "the memory does not suffice";
  if (dynamic_cast<const std::logic_error *>(&problem) ||
      dynamic_cast<const std::bad_variant_access *>(&problem))
    return std::string("an error inside the program (please report it): ") + problem.what();
  return problem.what();
}

}  // namespace slipstream

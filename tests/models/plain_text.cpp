#include "models/plain_text.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;

namespace {

template <class Work>
std::string text_of(Work work) {
  try {
    work();
  } catch (const std::exception &problem) {
    return plain_text(problem);
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("errors reach people in words, without the text of a library alone and without a trace") {
  CHECK(text_of([] { throw input_error("f: error: x"); }) == "f: error: x");
  CHECK(text_of([] { throw run_error("y"); }) == "y");
  CHECK_THAT(text_of([] { (void)std::filesystem::file_size("/none/such"); }),
             StartsWith("/none/such: error: cannot be used: No such file or directory; look at the path"));
  CHECK_THAT(text_of([] { (void)nlohmann::json(1).at("a"); }), StartsWith("a JSON value is not of the form"));
  CHECK(text_of([] { throw std::bad_alloc(); }) == "the memory does not suffice");
  CHECK_THAT(text_of([] { (void)std::map<int, int>().at(1); }), StartsWith("an error inside the program"));
}

TEST_CASE("an error of the tensor library is one line") {
  const auto text = text_of([] { at::empty({2, 3}).select(0, 9); });
  CHECK_THAT(text, StartsWith("the tensor library refused a computation"));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find("frame #") == std::string::npos);
  CHECK_THAT(text_of([] { at::empty({std::int64_t{1} << 50}); }), StartsWith("the memory does not suffice"));
}

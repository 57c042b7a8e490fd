#include <ATen/ATen.h>

#include <fstream>

#include "models/error.hpp"
#include "models/files/safetensors.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

std::string bytes_of(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
  return bytes;
}

std::string file_of(const std::string &header, std::size_t data) {
  return bytes_of(header.size()) + header + std::string(data, '\1');
}

std::string refusal(const std::string &content) {
  const test::scratch folder;
  const auto file = folder.path() / "x.safetensors";
  std::ofstream(file, std::ios::binary) << content;
  try {
    const safetensors_file opened(file);
  } catch (const input_error &e) {
    return e.what();
  }
  return "";
}

std::string entry(const std::string &name, const std::string &type, const std::string &shape,
                  const std::string &range) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + range +
         "}";
}

}  // namespace

TEST_CASE("tensors of every type come back as they were, the file's mapping outliving the reader") {
  const test::scratch folder;
  const auto file = folder.path() / "x.safetensors";
  std::vector<std::pair<std::string, at::Tensor>> tensors{{"half", at::randn({3, 5}).to(at::kHalf)},
                                                          {"brain", at::randn({7}).to(at::kBFloat16)},
                                                          {"odd", at::ones({3}, at::kByte)},
                                                          {"float", at::randn({2, 2}).t()},
                                                          {"scalar", at::tensor(2.5f)},
                                                          {"none", at::empty({0, 4})},
                                                          {"long", at::arange(5, at::kLong)},
                                                          {"int", at::arange(5, at::kInt)}};
  write_safetensors(file, tensors);
  std::vector<at::Tensor> back;
  {
    const safetensors_file opened(file);
    CHECK(opened.tensors().size() == tensors.size());
    for (const auto &[name, tensor] : tensors) back.push_back(opened.get(name));
    CHECK_THROWS_AS(opened.get("other"), input_error);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    INFO(tensors[i].first);
    CHECK(back[i].scalar_type() == tensors[i].second.scalar_type());
    CHECK(at::equal(back[i], tensors[i].second));
  }
  CHECK_THROWS_AS(write_safetensors(folder.path() / "none" / "x", tensors), run_error);
}

TEST_CASE("a header whose length is no multiple of the type's size is read all the same") {
  const test::scratch folder;
  const auto file = folder.path() / "x.safetensors";
  std::string header = "{" + entry("a", "F32", "[1]", "[0,4]") + "}";
  while (header.size() % 4 != 1) header += ' ';
  const float value = 1.5f;
  std::ofstream(file, std::ios::binary)
      << bytes_of(header.size()) << header << std::string(reinterpret_cast<const char *>(&value), 4);
  CHECK(safetensors_file(file).get("a").item<float>() == 1.5f);
}

TEST_CASE("a malformed file is refused, and the message says what is wrong") {
  const std::string good = entry("a", "F32", "[2]", "[0,8]");
  const auto [content, why] = GENERATE_COPY(table<std::string, std::string>({
      {"", "is empty"},
      {"1234567", "too short"},
      {bytes_of(9) + "{}", "beyond the file's end"},
      {bytes_of(~std::uint64_t{0}) + "{}", "beyond the file's end"},
      {file_of("{", 0), "not valid JSON"},
      {file_of("[]", 0), "must be an object"},
      {file_of(std::string(200000, '['), 0), "nested deeper"},
      {file_of("{" + good + "," + good + "}", 8), "\"a\" is given twice"},
      {file_of("{\"a\":3}", 0), "tensor a: must be an object"},
      {file_of("{" + good + "}", 7), "outside the file's data"},
      {file_of("{" + good + "}", 9), "belong to no tensor"},
      {file_of("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8), "outside the file's data"},
      {file_of("{" + entry("a", "F32", "[2]", "[0,99999999999999999999]") + "}", 8), "whole numbers"},
      {file_of("{" + entry("a", "F32", "[2]", "[-8,0]") + "}", 8), "whole numbers"},
      {file_of("{" + entry("a", "F32", "[2]", "[0]") + "}", 8), "outside the file's data"},
      {file_of("{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8), "do not match"},
      {file_of("{" + entry("a", "F32", "[2.5]", "[0,8]") + "}", 8), "whole numbers"},
      {file_of("{" + entry("a", "F32", "[4611686018427387904,4]", "[0,0]") + "}", 0), "do not match"},
      {file_of("{" + entry("a", "F32", "[18446744073709551615,0]", "[0,0]") + "}", 0), "do not match"},
      {file_of("{" + entry("a", "BOOL", "[8]", "[0,9]") + "}", 9), "do not match"},
      {file_of("{" + entry("a", "F8_E4M3", "[8]", "[0,9]") + "}", 8), "outside the file's data"},
      {file_of("{\"a\":{\"dtype\":8,\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "dtype must be a name"},
      {file_of("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "dtype is missing"},
      {file_of("{" + good + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12), "overlap"},
      {file_of("{" + good + "," + entry("b", "F32", "[1]", "[12,16]") + "}", 16), "overlap or leave gaps"},
  }));
  CHECK_THAT(refusal(content),
             test::Contains("x.safetensors") && test::Contains("error: ") && test::Contains(why));
}

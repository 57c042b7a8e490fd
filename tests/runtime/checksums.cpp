// What a run depends on is recognised when it goes on: its inputs, and the files of its checkpoints.
#include <ATen/core/Tensor.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/checksum.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/run_folder/inputs.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::uint64_t sum_of(std::string_view text, std::size_t piece) {
  running_xxh64 sum;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) sum.add(text.substr(0, piece));
  return sum.sum();
}

}  // namespace

TEST_CASE("checksums are XXH64, in whatever pieces the bytes come") {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  CHECK(running_xxh64().sum() == 0xef46db3751d8e999);
  CHECK(sum_of("a", 1) == 0xd24ec4f1a98c6e5b);
  CHECK(sum_of("abc", 3) == 0x44bc2cf5ad770999);
  CHECK(sum_of(letters, 36) == 0x64f23ecf1609b766);
  for (std::size_t piece = 1; piece < letters.size(); ++piece)
    CHECK(sum_of(letters, piece) == sum_of(letters, 99));
}

TEST_CASE("a checkpoint of which a bit has flipped or a file has gone is named, an older one passes") {
  const test::scratch folder;
  const auto weights = folder.write("model.safetensors", std::string(100, 'x'));
  folder.write("config.json", "{}");
  CHECK_NOTHROW(verify_checksums(folder.path()));
  write_checksums(folder.path());
  CHECK_NOTHROW(verify_checksums(folder.path()));
  folder.write("config.json", "{ }");
  CHECK_THROWS_WITH(verify_checksums(folder.path()), Contains("config.json: error: holds other bytes"));
  folder.write("config.json", "{}");
  auto text = test::read_text(weights);
  text[50] ^= 1;
  folder.write("model.safetensors", text);
  CHECK_THROWS_WITH(verify_checksums(folder.path()), Contains("model.safetensors: error: holds other bytes"));
  std::filesystem::remove(weights);
  CHECK_THROWS_WITH(verify_checksums(folder.path()), Contains("model.safetensors: error: is missing"));
  folder.write("checksums.json", "[]");
  CHECK_THROWS_AS(verify_checksums(folder.path()), input_error);
}

TEST_CASE("an input that changed under a run is named with its key") {
  const test::scratch folder;
  const auto data = folder.write("data.jsonl", "a line\n");
  const std::vector<run_input> inputs{{"[actors.data] dataset", data}};
  CHECK_NOTHROW(check_inputs(folder.path(), inputs));  // a run of before
  write_inputs(folder.path(), inputs);
  folder.write("data.jsonl", "a line\n");
  CHECK_NOTHROW(check_inputs(folder.path(), inputs));
  folder.write("data.jsonl", "a lime\n");
  CHECK_THROWS_WITH(check_inputs(folder.path(), inputs),
                    Contains("data.jsonl: error: [actors.data] dataset has other contents"));
  std::filesystem::remove(data);
  CHECK_NOTHROW(check_inputs(folder.path(), inputs));  // what reads it says that it is missing
  folder.write("inputs.json", "3");
  CHECK_THROWS_AS(check_inputs(folder.path(), inputs), input_error);
}

TEST_CASE("checkpoints whose journal is gone are not written over") {
  const test::scratch folder;
  const run_paths paths(folder.path());
  CHECK_FALSE(find_resume_point(paths, {{"learner", "data"}}));
  folder.write("checkpoints/last/slipstream.json", "{}");
  CHECK_THROWS_WITH(find_resume_point(paths, {{"learner", "data"}}),
                    Contains("journal: error: there is no journal, but there are checkpoints"));
}

TEST_CASE("evaluations are read by version, of each the last, and cut behind a checkpoint") {
  const test::scratch folder;
  const auto file =
      folder.write("evaluations.jsonl",
                   "{\"version\":2,\"a\":1}\n{\"version\":4,\"a\":2}\n{\"version\":2,\"a\":3}\n{\"ver");
  const auto all = read_by_version(file);
  REQUIRE(all.size() == 2);
  CHECK(all[0] == nlohmann::json{{"version", 2}, {"a", 3}});
  cut_metrics(file, 3);
  CHECK(read_by_version(file).size() == 1);
  CHECK(read_by_version(folder / "none").empty());
}

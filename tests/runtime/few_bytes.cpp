// Few bytes of a file or a socket cannot ask for much memory, and what they claim must be there.
#include <ATen/core/Tensor.h>
#include <zlib.h>

#include <optional>
#include <string>

#include "models/error.hpp"
#include "models/files/cbor.hpp"
#include "runtime/journal/fields.hpp"
#include "runtime/journal/journal.hpp"
#include "runtime/nodes/placement_request.hpp"
#include "runtime/nodes/rank_frames.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

constexpr std::size_t many = 1 << 20;

sample_group_ptr group_of(const sample &entry) {
  auto group = std::make_shared<sample_group>();
  group->samples = {entry};
  return group;
}

sample short_sample() {
  sample entry;
  entry.tokens = {1, 2, 3};
  entry.prompt_length = 1;
  entry.behaviour = {-0.5F, -0.25F};
  return entry;
}

std::string encoded(const sample &entry) {
  return encode({0, group_kept{group_of(entry)}});
}

// A journal file with one record whose payload is `packed` by zstd.
std::string journal_of(const std::string &packed) {
  byte_writer flags, out;
  flags.put(std::uint8_t{1});
  flags.count(0);
  const std::string content = flags.take() + packed;
  out.put(std::uint32_t{0x8a4a4c53});
  out.put(static_cast<std::uint32_t>(content.size()));
  out.put(static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(content.data()), static_cast<uInt>(content.size()))));
  return "SLJ2" + out.take() + content;
}

}  // namespace

TEST_CASE("lists of a journal's records are as long as the answers beside them") {
  CHECK_NOTHROW(decode(encoded(short_sample())));
  auto entry = short_sample();
  entry.versions.assign(many, 3);  // one stretch: a few bytes
  REQUIRE(encoded(entry).size() < 100);
  CHECK_THROWS_AS(decode(encoded(entry)), run_error);
  entry = short_sample();
  entry.cache_versions.assign(many, 3);
  CHECK_THROWS_AS(decode(encoded(entry)), run_error);
  entry = short_sample();
  entry.values = {1};
  CHECK_THROWS_AS(decode(encoded(entry)), run_error);
  entry = short_sample();
  entry.prompt_length = 4;
  CHECK_THROWS_AS(decode(encoded(entry)), run_error);
  generation answer;
  answer.versions.assign(many, 3);
  CHECK_THROWS_AS(decode(encode({0, group_progress{1, {{answer, false}}}})), run_error);
  CHECK_THROWS_AS(decode(encode({0, run_opened{"a", 1, 0}})), run_error);
}

TEST_CASE("a list longer than its bytes is refused before its first item") {
  byte_writer out;
  out.count(std::uint64_t{1} << 40);
  const auto claim = out.take();
  CHECK_THROWS_WITH(byte_reader(claim).items(1), Contains("longer than its record"));
  CHECK(byte_reader(std::string("\x02xxxx", 5)).items(2) == 2);
  CHECK_THROWS_AS(byte_reader(std::string("\x03xxxx", 5)).items(2), run_error);
  std::map<std::string, std::int64_t> versions;
  byte_reader twice(std::string_view("\x02\x01m\x02\x01m\x02", 7));
  CHECK_THROWS_WITH(field_reader(twice)(versions), Contains("twice"));
}

TEST_CASE("a packed record unpacks to no more than is ever packed") {
  const test::scratch folder;
  // One block of 131,071 equal bytes, and the claim of 1,200,000,000.
  const std::string frame("\x28\xb5\x2f\xfd\xe0\x00\x8c\x86\x47\x00\x00\x00\x00\xfb\xff\x0f\x00", 17);
  folder.write("000001.journal", journal_of(frame));
  const auto damage = read_journal(folder.path(), [](const journal_record &) {});
  REQUIRE(damage);
  CHECK(damage->why == "a record claims to unpack to more than is written");
}

TEST_CASE("a record that packs too well is written as it is, and read again") {
  const test::scratch folder;
  auto entry = short_sample();
  entry.tokens.assign(3 * many, 7);
  entry.prompt_length = 3 * many;
  entry.behaviour.clear();
  {
    journal_writer writer(folder.path());
    writer.append({1, group_kept{group_of(entry)}});
    writer.sync();
    CHECK(writer.bytes() > 3 * many);
  }
  std::size_t tokens = 0;
  CHECK_FALSE(read_journal(folder.path(), [&](const journal_record &record) {
    tokens = std::get<group_kept>(record.event).group->samples.at(0).tokens.size();
  }));
  CHECK(tokens == 3 * many);
}

TEST_CASE("a rank's state of any depth is refused, and so is a list without end") {
  const auto whole = nlohmann::json{{"a", {1, 0.1, "x"}}};
  const auto bytes = nlohmann::json::to_cbor(whole);
  CHECK(read_cbor({reinterpret_cast<const char *>(bytes.data()), bytes.size()}) == whole);
  CHECK_THROWS_AS(read_cbor(std::string(50'000, '\x81') + "\x01"), run_error);
  CHECK_THROWS_AS(read_cbor("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"), run_error);
  CHECK_THROWS_AS(read_cbor("\xff"), run_error);
  CHECK_THROWS_AS(read_cbor(""), run_error);
}

TEST_CASE("an order's model has a size and kinds that there are") {
  placement_request order;
  order.models.resize(1);
  auto &spec = order.models[0].spec;
  CHECK_NOTHROW(decode_order(encode_order(order)));
  const auto wrong = GENERATE(0, 1, 2, 3);
  if (wrong == 0) spec.layers = 1'000'000;
  if (wrong == 1) spec.hidden_size = std::int64_t{1} << 40;
  if (wrong == 2) spec.windows = {0, 8};
  if (wrong == 3) spec.norm = static_cast<norm_kind>(7);
  CHECK_THROWS_AS(decode_order(encode_order(order)), run_error);
}

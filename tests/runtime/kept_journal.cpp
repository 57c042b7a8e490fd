// Journals written before records named their fields once: they are read, and written again to the same
// bytes.
#include <zstd.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "runtime/journal/fields.hpp"
#include "runtime/journal/history.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

std::filesystem::path kept_run() {
  return test::data("journals") / "run" / "runs" / "kept";
}

std::string bytes_of(const std::string &digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string unpacked(std::string_view packed) {
  std::string whole(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
  REQUIRE(ZSTD_decompress(whole.data(), whole.size(), packed.data(), packed.size()) == whole.size());
  return whole;
}

}  // namespace

TEST_CASE("a record of every kind of event is read and written as it was before") {
  std::ifstream file(test::data("journals") / "events.txt");
  std::map<std::size_t, int> kinds;
  for (std::string name, digits; file >> name >> digits;) {
    CAPTURE(name);
    const auto bytes = bytes_of(digits);
    const auto record = decode(bytes);
    CHECK(encode(record) == bytes);
    ++kinds[record.event.index()];
    for (std::size_t length = 0; length < bytes.size(); ++length)
      CHECK_THROWS_AS(decode(std::string_view(bytes).substr(0, length)), run_error);
  }
  CHECK(kinds.size() == std::variant_size_v<journal_event> - 1);  // arithmetic_used came later
}

TEST_CASE("the arithmetic of a run is read as it was written, and must be one") {
  const auto bytes = encode({7, arithmetic_used{2}});
  CHECK(std::get<arithmetic_used>(decode(bytes).event).number == 2);
  CHECK(encode(decode(bytes)) == bytes);
  CHECK_THROWS_AS(decode(encode({7, arithmetic_used{0}})), run_error);
}

TEST_CASE("every record of a journal from before becomes the same bytes again") {
  const auto bytes = test::read_text(kept_run() / "journal" / "000001.journal");
  std::size_t at = 4, records = 0;
  for (std::uint32_t size = 0; at + 12 <= bytes.size(); at += 12 + size, ++records) {
    std::memcpy(&size, bytes.data() + at + 4, 4);  // behind a marker, before a checksum
    byte_reader in(std::string_view(bytes).substr(at + 12, size));
    const bool packed = in.get<std::uint8_t>() != 0;
    in.count();
    const auto payload = packed ? unpacked(in.rest()) : std::string(in.rest());
    CHECK(encode(decode(payload)) == payload);
  }
  CHECK(at == bytes.size());
  CHECK(records == 121);
}

TEST_CASE("the history of a journal from before is as it was") {
  const auto history = read_history(kept_run() / "journal", {{"learner", 4}, {"teacher", 4}});
  CHECK(history.fault.empty());
  CHECK(history.opened.name == "kept");
  CHECK(history.opened.group == 2);
  CHECK(history.learners.size() == 2);
  CHECK(history.version() == 4);
  CHECK(history.numbers.at("window") == 2);
  CHECK_FALSE(history.closed);
}

TEST_CASE("a list of records claims no more of them than their bytes can be") {
  CHECK(shortest_length<std::int64_t>(own_fields{}) == 1);
  CHECK(shortest_length<double>(own_fields{}) == 8);
  CHECK(shortest_length<std::pair<std::string, std::uint32_t>>(own_fields{}) == 5);
  const auto claimed = [](std::uint64_t records) {
    byte_writer out;
    out.count(records);
    for (int byte = 0; byte < 12; ++byte) out.put(std::uint8_t{0});
    return out.take();
  };
  const auto three = [](auto &f, auto &x) { f(x.first, x.second); };
  using list = std::vector<std::pair<bool, std::uint16_t>>;
  CHECK(read_fields<list>(claimed(4), "more", three).size() == 4);
  CHECK_THROWS_WITH(read_fields<list>(claimed(5), "more", three), test::Contains("longer than its record"));
  CHECK_THROWS_WITH(read_fields<list>(claimed(3), "more", three), test::Contains("more"));
}

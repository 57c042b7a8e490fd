#include "runtime/data/unpacker.hpp"

#include <zlib.h>

#include "models/error.hpp"
#include "runtime/data/file_pieces.hpp"
#include "runtime/data/jsonl.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::string packed(const std::string &text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

std::string gunzip(const std::string &bytes, const std::string &name) {
  const test::scratch folder;
  return read_unpacked(folder.write(name, bytes));
}

// Text that packs about as badly as text does, over several of the reader's pieces.
std::string rows() {
  std::string text;
  for (int i = 0; i < 40000; ++i)
    text += "{\"prompt\":\"" + std::to_string(i * 7919L) + "\",\"answer\":\"" + std::to_string(i) + "\"}\n";
  return text;
}

}  // namespace

TEST_CASE("gzip files are known by their bytes and read as their contents") {
  const test::scratch folder;
  const auto text = rows();
  CHECK(is_gzip(packed(text)));
  CHECK_FALSE(is_gzip(text));
  CHECK((gunzip(packed(text), "f") == text));
  CHECK(gunzip(packed(""), "f").empty());
  CHECK(gunzip(packed("one\n") + packed("two\n") + std::string(512, '\0'), "f") == "one\ntwo\n");
  const auto read = read_jsonl(folder.write("data.jsonl", packed(text)));  // whatever the name says
  CHECK(read.rows.size() == 40000);
  CHECK(read.rows[39999].answer == "39999");
}

TEST_CASE("cut-off, damaged and trailing gzip data are errors that name the file") {
  const auto whole = packed(rows());
  for (std::size_t size = 2; size < whole.size(); size += whole.size() / 50)
    CHECK_THROWS_WITH(gunzip(whole.substr(0, size), "d.gz"),
                      Contains("d.gz: error: ") && Contains("ends in the middle"));
  auto damaged = whole;
  damaged[whole.size() - 6] ^= 1;  // its checksum
  CHECK_THROWS_WITH(gunzip(damaged, "d.gz"), Contains("damaged"));
  CHECK_THROWS_WITH(gunzip(whole + "more", "d.gz"), Contains("4 bytes"));
  const test::scratch folder;
  CHECK_THROWS_WITH(read_jsonl(folder.write("cut.jsonl.gz", whole.substr(0, 1000))),
                    Contains("cut.jsonl.gz: error: ") && Contains("ends in the middle"));
  CHECK_THROWS_WITH(read_jsonl(folder.write("bad.jsonl.gz", packed("{\"prompt\":\"p\"}\n3\n"))),
                    Contains("bad.jsonl.gz:2: error: "));
}

TEST_CASE("what unpacks to far more than text does is refused before it fills the memory") {
  const auto bomb = packed(std::string(40U << 20, 'x'));
  CHECK(bomb.size() < 50000);
  CHECK_THROWS_WITH(gunzip(bomb, "bomb.gz"),
                    Contains("bomb.gz: error: ") && Contains("more than 200 times") && Contains("gunzip"));
  CHECK(gunzip(packed(std::string(1U << 20, 'x')), "small.gz").size() == 1U << 20);  // below 16 MiB all goes
}

#include <zstd.h>

#include <utility>

#include "models/error.hpp"
#include "runtime/data/file_pieces.hpp"
#include "runtime/data/jsonl.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::string packed(const std::string &text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  return bytes;
}

/// As a pipe into `zstd` packs: with a checksum, the size unknown, and a window of 2^`window_bits` bytes.
std::string streamed(const std::string &text, int window_bits) {
  ZSTD_CCtx *stream = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, window_bits);
  ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1);
  std::string bytes(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
  const std::string_view first = std::string_view(text).substr(0, text.size() / 2),
                         second = std::string_view(text).substr(text.size() / 2);
  for (const auto part : {first, second}) {
    ZSTD_inBuffer in{part.data(), part.size(), 0};
    ZSTD_compressStream2(stream, &out, &in, ZSTD_e_continue);
  }
  ZSTD_inBuffer none{nullptr, 0, 0};
  REQUIRE(ZSTD_compressStream2(stream, &out, &none, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(stream);
  bytes.resize(out.pos);
  return bytes;
}

std::string unpacked(const std::string &bytes) {
  const test::scratch folder;
  return read_unpacked(folder.write("d.zst", bytes));
}

std::string rows() {
  std::string text;
  for (int i = 0; i < 40000; ++i)
    text += "{\"prompt\":\"" + std::to_string(i * 7919L) + "\",\"answer\":\"" + std::to_string(i) + "\"}\n";
  return text;
}

// A frame to be skipped: its number, the size, that many bytes.
const std::string skipped(
    "\x5A\x2A\x4D\x18\x03\x00\x00\x00"
    "abc",
    11);

}  // namespace

TEST_CASE("zstd files are known by their bytes and read as their contents") {
  const test::scratch folder;
  const auto text = rows();
  CHECK(is_zstd(packed(text)));
  CHECK(is_zstd(skipped));
  CHECK_FALSE(is_zstd(text));
  CHECK_FALSE(is_zstd("\x28\xB5"));
  CHECK((unpacked(packed(text)) == text));
  CHECK((unpacked(streamed(text, 20)) == text));
  CHECK(unpacked(packed("one\n") + skipped + packed("two\n")) == "one\ntwo\n");
  CHECK(unpacked(skipped + packed("one\n")) == "one\n");
  const auto read = read_jsonl(folder.write("data.jsonl", packed(text)));  // whatever the name says
  CHECK(read.rows.size() == 40000);
  CHECK(read.rows[39999].answer == "39999");
  CHECK(read.place(39999) == (folder / "data.jsonl").string() + ":40000");
}

TEST_CASE("cut-off, damaged and trailing zstd data are errors that name the file") {
  const auto whole = streamed(rows(), 20);
  for (std::size_t size = 5; size < whole.size(); size += whole.size() / 50)
    CHECK_THROWS_WITH(unpacked(whole.substr(0, size)),
                      Contains("d.zst: error: ") && Contains("ends in the middle"));
  auto damaged = whole;
  damaged[whole.size() - 2] ^= 1;  // its checksum
  CHECK_THROWS_WITH(unpacked(damaged), Contains("d.zst: error: ") && Contains("damaged"));
  CHECK_THROWS_WITH(unpacked(whole + "more"), Contains("bytes that are no zstd follow"));
  const test::scratch folder;
  CHECK_THROWS_WITH(read_jsonl(folder.write("bad.jsonl.zst", packed("{\"prompt\":\"p\"}\n3\n"))),
                    Contains("bad.jsonl.zst:2: error: "));
}

TEST_CASE("a zstd file does not say how much memory it takes") {
  CHECK_THROWS_WITH(unpacked(packed(std::string(40U << 20, 'x'))), Contains("more than 200 times"));
  CHECK(unpacked(packed(std::string(1U << 20, 'x'))).size() == 1U << 20);  // below 16 MiB all goes
  CHECK(unpacked(streamed("small", 26)) == "small");
  CHECK_THROWS_WITH(unpacked(streamed("small", 27)), Contains("64 MiB") && Contains("zstd -d"));
}

TEST_CASE("a packed file comes in pieces, however much is in it") {
  const test::scratch folder;
  const auto text = rows();
  file_pieces pieces(folder.write("d.zst", packed(text)));
  std::string read, piece;
  while (pieces.next(piece)) {
    CHECK(piece.size() <= 256U << 10);
    read += std::exchange(piece, {});
  }
  CHECK((read == text));
  CHECK(text.size() > 1U << 20);
}

TEST_CASE("files of other kinds are named with what to do") {
  const test::scratch folder;
  const auto refused = [&](const std::string &bytes, const std::string &what, const std::string &mend) {
    INFO(what);
    CHECK_THROWS_WITH(read_jsonl(folder.write("d.bin", bytes)),
                      Contains("d.bin: error: ") && Contains(what) && Contains(mend));
  };
  const std::string script = "examples/parquet_to_jsonl.py";
  CHECK(std::filesystem::exists(std::filesystem::path(SLIPSTREAM_SOURCE_DIR) / script));
  refused("PAR1\x15\x04", "Parquet", script);
  refused("ARROW1\x00\x00", "Arrow", script);
  refused("\xFF\xFF\xFF\xFF\x00", "Arrow", script);
  refused("version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull");
  refused(
      "\xFD"
      "7zXZ",
      "xz", "pack it with gzip or zstd");
  refused("BZh91AY", "bzip2", "pack it with gzip or zstd");
  refused("PK\x03\x04", "zip", "pack it with gzip or zstd");
  refused("\xFF\xFE{\x00", "UTF-16", "iconv");
}

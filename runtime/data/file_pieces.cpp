#include "runtime/data/file_pieces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::size_t piece = 1U << 18, always_allowed = 16U << 20;

/// Kinds of files that people name as data and that cannot be read here, by their first bytes.
struct other_kind {
  std::string_view bytes, what, mend;
};
constexpr std::string_view
    convert = "write it as JSON lines first: python3 examples/parquet_to_jsonl.py FILE > FILE.jsonl",
    repack = "unpack it, or pack it with gzip or zstd";
constexpr std::array<other_kind, 9> others{{
    {"PAR1", "is a Parquet file, which is not read", convert},
    {"ARROW1", "is an Arrow file, which is not read", convert},
    {"\xFF\xFF\xFF\xFF", "is an Arrow stream, as the `datasets` library keeps them, which is not read",
     convert},
    {"version https://git-lfs", "is the pointer of a file in Git LFS, not the file",
     "get it with `git lfs pull`"},
    {"\xFD"
     "7zXZ",
     "is packed with xz, which is not read", repack},
    {"BZh", "is packed with bzip2, which is not read", repack},
    {"PK\x03\x04", "is a zip archive, which is not read", repack},
    {"\xFE\xFF", "is text in UTF-16", "convert it to UTF-8, with `iconv -f UTF-16 -t UTF-8`"},
    {"\xFF\xFE", "is text in UTF-16", "convert it to UTF-8, with `iconv -f UTF-16 -t UTF-8`"},
}};

}  // namespace

file_pieces::file_pieces(const std::filesystem::path &file, std::size_t most_ratio)
    : file_(file), most_ratio_(most_ratio) {
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status))
    fail("there is no such data file; check the path, or write it with `slipstream data`");
  if (std::filesystem::is_directory(status))
    fail("this is not a file but a folder; name its files, as in \"" + (file / "*.jsonl").string() + "\"");
  if (!std::filesystem::is_regular_file(status)) fail("this is not a file; name a JSON Lines file");
  in_.open(file, std::ios::binary);
  if (!in_) fail("the data file cannot be read; check its permissions");
  fill();
  refuse_others();
  const auto size = std::filesystem::file_size(file, failed);
  most_ = std::max(always_allowed, (failed ? rest_.size() : size) * most_ratio_);
  if (is_gzip(rest_)) unpack_ = make_gzip_unpacker();
  if (is_zstd(rest_)) unpack_ = make_zstd_unpacker(failed ? rest_.size() : size);
}

void file_pieces::fail(std::string_view message) const {
  throw input_error(fmt::format("{}: error: {}", file_.string(), message));
}

void file_pieces::refuse_others() const {
  for (const auto &other : others)
    if (rest_.starts_with(other.bytes)) fail(fmt::format("this {}; {}", other.what, other.mend));
}

void file_pieces::fill() {
  read_.resize(piece);
  in_.read(read_.data(), static_cast<std::streamsize>(read_.size()));
  if (in_.bad()) fail("the data file cannot be read to its end; check the disk");
  read_.resize(static_cast<std::size_t>(in_.gcount()));
  rest_ = read_;
  ended_ = in_.eof();
}

bool file_pieces::next(std::string &text) {
  const auto before = text.size();
  while (text.size() == before) {
    if (rest_.empty() && !ended_) fill();
    const bool last = rest_.empty() && ended_;
    if (!unpack_) {
      text += rest_;
      rest_ = {};
      return text.size() > before;
    }
    try {
      unpack_->step(rest_, text);
      if (last && text.size() == before) return unpack_->finish(), false;
    } catch (const input_error &problem) {
      fail(problem.what());
    }
  }
  unpacked_ += text.size() - before;
  if (unpacked_ > most_)
    fail(
        fmt::format("the file unpacks to more than {} times its size, as no text does; unpack it with gunzip "
                    "or `zstd -d` if it is meant",
                    most_ratio_));
  return true;
}

std::string read_unpacked(const std::filesystem::path &file, std::size_t most_ratio) {
  file_pieces pieces(file, most_ratio);
  std::string text;
  while (pieces.next(text)) continue;
  return text;
}

}  // namespace slipstream

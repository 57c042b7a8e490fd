#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/error.hpp"
#include "runtime/data/unpacker.hpp"

namespace slipstream {
namespace {

constexpr std::size_t gzip_piece = 1U << 18;
constexpr int gzip_only = 15 + 16;  // window bits, and zlib's mark for the gzip format
constexpr char first_byte = '\x1F';

class gzip_unpacker final : public unpacker {
 public:
  gzip_unpacker() {
    if (inflateInit2(&stream_, gzip_only) != Z_OK)
      throw input_error("zlib cannot unpack it; the memory is full");
  }
  ~gzip_unpacker() override { inflateEnd(&stream_); }
  gzip_unpacker(const gzip_unpacker &) = delete;
  gzip_unpacker &operator=(const gzip_unpacker &) = delete;

  void step(std::string_view &input, std::string &output) override {
    if (between_) skip_to_member(input);
    if (between_) return;
    const auto given = std::min<std::size_t>(input.size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(input.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = buffer_.data();
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    const auto status = inflate(&stream_, Z_NO_FLUSH);
    input.remove_prefix(given - stream_.avail_in);
    output.append(reinterpret_cast<const char *>(buffer_.data()), buffer_.size() - stream_.avail_out);
    between_ = status == Z_STREAM_END;
    if (status != Z_OK && status != Z_BUF_ERROR && !between_)
      throw input_error("the gzip file is damaged; copy or download it again");
  }

  void finish() const override {
    if (!between_) throw input_error("the gzip file ends in the middle; copy or download it again");
    if (junk_ > 0)
      throw input_error(
          fmt::format("{} bytes that are no gzip follow its end; copy or download it again", junk_));
  }

 private:
  // A member is followed by another one, by zeros (tapes and disks pad with them), or by nothing.
  void skip_to_member(std::string_view &input) {
    if (junk_ == 0 && padding_ == 0 && input.starts_with(first_byte)) {
      inflateReset(&stream_);
      between_ = false;
      return;
    }
    const auto zeros = std::min(input.find_first_not_of('\0'), input.size());
    padding_ += zeros;
    if (junk_ > 0 || zeros < input.size()) junk_ += input.size() - (junk_ > 0 ? 0 : zeros);
    input = {};
  }

  z_stream stream_{};
  std::vector<Bytef> buffer_ = std::vector<Bytef>(gzip_piece);
  bool between_ = false;  ///< a member has ended, and none has begun
  std::size_t padding_ = 0, junk_ = 0;
};

}  // namespace

bool is_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1F\x8B");
}

std::unique_ptr<unpacker> make_gzip_unpacker() {
  return std::make_unique<gzip_unpacker>();
}

}  // namespace slipstream

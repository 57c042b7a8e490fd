#include "runtime/data/gzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::size_t always_allowed = 16U << 20, chunk = 1U << 18;
constexpr int gzip_only = 15 + 16;  // window bits, and zlib's mark for the gzip format

/// zlib's state of one member, freed in every case.
class inflater {
 public:
  inflater() { ready_ = inflateInit2(&stream_, gzip_only) == Z_OK; }
  ~inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  inflater(const inflater &) = delete;
  inflater &operator=(const inflater &) = delete;

  bool ready() const { return ready_; }
  /// Takes bytes off `input` and appends what they unpack to; zlib's status.
  int step(std::string_view &input, std::string &output) {
    const auto given = std::min<std::size_t>(input.size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(input.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = buffer_.data();
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    const auto status = inflate(&stream_, Z_NO_FLUSH);
    input.remove_prefix(given - stream_.avail_in);
    output.append(reinterpret_cast<const char *>(buffer_.data()), buffer_.size() - stream_.avail_out);
    return status;
  }

 private:
  z_stream stream_{};
  std::vector<Bytef> buffer_ = std::vector<Bytef>(chunk);
  bool ready_ = false;
};

}  // namespace

bool is_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1F\x8B");
}

std::string gunzip(std::string_view bytes, const std::string &name, std::size_t most_ratio) {
  const auto fail = [&](const std::string &message) { throw input_error(name + ": error: " + message); };
  const auto most = std::max(always_allowed, bytes.size() * most_ratio);
  auto rest = bytes;
  std::string text;
  do {
    inflater member;
    if (!member.ready()) fail("zlib cannot unpack it; the memory is full");
    int status = Z_OK;
    while (status == Z_OK) {
      status = member.step(rest, text);
      if (text.size() > most)
        fail(
            fmt::format("the gzip file unpacks to more than {} times its size, as no text does; unpack it "
                        "with gunzip if it is meant",
                        most_ratio));
    }
    if (status == Z_BUF_ERROR) fail("the gzip file ends in the middle; copy or download it again");
    if (status != Z_STREAM_END) fail("the gzip file is damaged; copy or download it again");
  } while (is_gzip(rest));
  if (rest.find_first_not_of('\0') != std::string_view::npos)  // tapes and disks pad with zeros
    fail(fmt::format("{} bytes that are no gzip follow its end; copy or download it again", rest.size()));
  return text;
}

}  // namespace slipstream

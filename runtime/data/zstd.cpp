#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <vector>

#include "models/error.hpp"
#include "runtime/data/unpacker.hpp"

namespace slipstream {
namespace {

constexpr std::size_t zstd_piece = 1U << 18;
constexpr std::size_t large_file = 8U << 20;

class zstd_unpacker final : public unpacker {
 public:
  explicit zstd_unpacker(std::size_t size) : window_bits_(size >= large_file ? 27 : 26) {
    if (!stream_ || ZSTD_isError(ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, window_bits_)))
      throw input_error("zstd cannot unpack it; the memory is full");
  }

  void step(std::string_view &input, std::string &output) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    const auto left = ZSTD_decompressStream(stream_.get(), &out, &in);
    if (ZSTD_isError(left)) fail(ZSTD_getErrorCode(left));
    input.remove_prefix(in.pos);
    output.append(buffer_.data(), out.pos);
    if (in.pos > 0 || out.pos > 0) whole_ = left == 0;
    any_ = any_ || whole_;
  }

  void finish() const override {
    if (!whole_) throw input_error("the zstd file ends in the middle; copy or download it again");
  }

 private:
  [[noreturn]] void fail(ZSTD_ErrorCode code) const {
    if (code == ZSTD_error_frameParameter_windowTooLarge)
      throw input_error(fmt::format(
          "the zstd file wants more than {} MiB of memory to be unpacked; unpack it with `zstd -d --long=31`",
          (std::size_t{1} << window_bits_) >> 20));
    if (code == ZSTD_error_dictionary_wrong)
      throw input_error("the zstd file was packed with a dictionary; unpack it with `zstd -d -D DICTIONARY`");
    if (code == ZSTD_error_memory_allocation) throw input_error("zstd cannot unpack it; the memory is full");
    if (code == ZSTD_error_prefix_unknown && any_)
      throw input_error("bytes that are no zstd follow the zstd file's end; copy or download it again");
    throw input_error("the zstd file is damaged; copy or download it again");
  }

  struct freed {
    void operator()(ZSTD_DCtx *stream) const { ZSTD_freeDCtx(stream); }
  };
  std::unique_ptr<ZSTD_DCtx, freed> stream_{ZSTD_createDCtx()};
  std::vector<char> buffer_ = std::vector<char>(zstd_piece);
  int window_bits_;
  bool whole_ = false;  ///< a frame has ended, and none has begun
  bool any_ = false;    ///< a frame has ended
};

}  // namespace

bool is_zstd(std::string_view bytes) {
  if (bytes.starts_with("\x28\xB5\x2F\xFD")) return true;
  return bytes.size() >= 4 && (static_cast<unsigned char>(bytes[0]) & 0xF0U) == 0x50 &&
         bytes.substr(1, 3) == "\x2A\x4D\x18";  // a frame that readers skip; pzstd writes one first
}

std::unique_ptr<unpacker> make_zstd_unpacker(std::size_t size) {
  return std::make_unique<zstd_unpacker>(size);
}

}  // namespace slipstream

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace slipstream {

/// Unpacks a stream of bytes piece by piece; its memory does not grow with what it unpacks. Errors are
/// input_errors whose text says what is wrong and what to do.
class unpacker {
 public:
  virtual ~unpacker() = default;
  /// Takes bytes off `input` and appends at most one piece (256 KiB) of what they unpack to.
  virtual void step(std::string_view &input, std::string &output) = 0;
  /// Called once all bytes were given and nothing comes out any more. Throws when the bytes end in the
  /// middle.
  virtual void finish() const = 0;
};

/// Whether the bytes begin as a gzip file does (RFC 1952), whatever its name is.
bool is_gzip(std::string_view bytes);
/// Reads gzip members one after another, and zeros behind them.
std::unique_ptr<unpacker> make_gzip_unpacker();

/// Whether the bytes begin as a zstd file does (RFC 8878): a frame, or one to be skipped.
bool is_zstd(std::string_view bytes);
/// Reads zstd frames one after another. A frame's window is no larger than 64 MiB, or 128 MiB in files of 8
/// MiB and more: `size` is that of the whole file.
std::unique_ptr<unpacker> make_zstd_unpacker(std::size_t size);

}  // namespace slipstream

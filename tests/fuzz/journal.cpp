// A journal's records: the bytes as one record, and as a packed payload in a journal file with sums that fit.
#include <zlib.h>

#include "runtime/journal/bytes.hpp"
#include "runtime/journal/history.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

namespace {

std::string framed(std::string_view payload, bool packed) {
  byte_writer flags, out;
  flags.put(static_cast<std::uint8_t>(packed));
  flags.count(0);
  const std::string content = flags.take() + std::string(payload);
  out.put(std::uint32_t{0x8a4a4c53});
  out.put(static_cast<std::uint32_t>(content.size()));
  out.put(static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(content.data()), static_cast<uInt>(content.size()))));
  return out.take() + content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const fuzz::file journal("000001.journal");
  const auto text = fuzz::text_of(data, size);
  fuzz::attempt([&] {
    const auto record = decode(text);
    if (decode(encode(record)).event.index() != record.event.index()) std::abort();
  });
  const auto opened = encode({0, run_opened{"x", 1, 2}});
  for (const bool packed : {false, true}) {
    journal.write("SLJ2" + framed(opened, false) + framed(text, packed));
    fuzz::attempt([] { read_history(journal.folder()).totals(); });
  }
  return 0;
}

// A safetensors file: the bytes as a whole file, and as a header with a length that fits.
#include "models/files/safetensors.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

namespace {

void read_all(const std::filesystem::path &path) {
  const safetensors_file opened(path);
  for (const auto &[name, tensor] : opened.tensors())
    fuzz::attempt([&, &wanted = name] { (void)opened.get(wanted); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const fuzz::file place("x.safetensors");
  const auto text = fuzz::text_of(data, size);
  fuzz::attempt([&] { read_all(place.write(text)); });
  std::string whole(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) whole[i] = static_cast<char>(size >> (8 * i) & 0xff);
  return fuzz::attempt([&] { read_all(place.write(whole + std::string(text) + std::string(64, '\1'))); });
}

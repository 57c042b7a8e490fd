// A GGUF file: the bytes as a whole file, and as what follows a right magic and version.
#include "models/files/checkpoint.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/gguf/spec.hpp"
#include "models/files/gguf/tokenizer.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

namespace {

void read_model(const std::filesystem::path &path) {
  const gguf_file opened(path);
  for (const auto &[name, tensor] : opened.tensors())
    fuzz::attempt([&, &wanted = name] {
      std::vector<float> row(static_cast<std::size_t>(opened.find_tensor(wanted)->shape.back()));
      opened.read_rows(wanted, 0, 1, row.data());
    });
  fuzz::attempt([&] { (void)gguf_spec(opened); });
  fuzz::attempt([&] { (void)gguf_tokenizer_json(opened); });
  fuzz::attempt([&] { (void)gguf_tokenizer_config(opened); });
  verify_checkpoint(path);
  (void)load_checkpoint(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const fuzz::file place("x.gguf");
  const auto text = fuzz::text_of(data, size);
  fuzz::attempt([&] { read_model(place.write(text)); });
  const std::string start("GGUF\3\0\0\0", 8);
  return fuzz::attempt([&] { read_model(place.write(start + std::string(text) + std::string(64, '\1'))); });
}

// A tokenizer.json, and a text through the tokenizer that it makes; from the first zero byte on the input is
// tokenizer_config.json.
#include "models/tokenizers/tokenizer.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto zero = text.find('\0');
  tokenizer_files files{{"tokenizer.json", std::string(text.substr(0, zero))}};
  if (zero != text.npos) files.emplace_back("tokenizer_config.json", std::string(text.substr(zero + 1)));
  return fuzz::attempt([&] {
    const auto made = read_tokenizer(files, "fuzzed");
    const auto ids = made->encode_with_special("Hello, caf\u00e9! 12 345\n\t<eos> x");
    (void)made->decode(ids, true);
  });
}

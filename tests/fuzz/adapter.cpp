// An adapter_config.json, and a config.json, beside which nothing else lies.
#include "models/files/adapter_config.hpp"

#include <ATen/core/Tensor.h>

#include "models/network/spec.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const fuzz::file adapter("adapter_config.json"), config("config.json");
  const auto text = fuzz::text_of(data, size);
  adapter.write(text);
  fuzz::attempt([] { (void)read_adapter_config(adapter.folder()); });
  const auto path = config.write(text);
  return fuzz::attempt([&] { (void)parameter_count(read_spec(path)); });
}

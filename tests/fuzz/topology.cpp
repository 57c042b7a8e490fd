// A topology's TOML, and a key set on the command line.
#include "runtime/topology/topology.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  fuzz::attempt([&] { (void)parse_document(text, "x.toml"); });
  return fuzz::attempt([&] {
    node root;
    apply_override(root, "run.name=" + std::string(text));
  });
}

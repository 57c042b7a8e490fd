// Arbitrary bytes as a chat template, rendered with one dialogue: it renders or throws input_error, within
// its limits.
#include <cstdint>
#include <string>

#include "models/error.hpp"
#include "models/templates/template.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

const nlohmann::ordered_json &inputs() {
  static const auto made = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": " Be br\u00efef.\n"}, {"role": "user", "content": "<think>a</think> b"},
      {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, true]}}}]},
      {"role": "tool", "content": "\ud83d\ude00"}, {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "array"}}}}}],
    "documents": null, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true,
    "xs": [3, "b", 1.5, null, [1, 2]], "s": "H\u00e9llo, \u03a3\u00df b\n", "d": {"a": 1, "b": [1, "z"], "role": "user"}})");
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  slipstream::template_limits limits;
  limits.steps = 200'000;
  limits.output = 1U << 20U;
  limits.memory = 8U << 20U;
  try {
    const auto parsed =
        slipstream::jinja_template::parse({reinterpret_cast<const char *>(data), size}, "template");
    const auto made = parsed.render(inputs(), "2026-11-30 14:05:09", limits);
    for (const auto &span : made.generated)
      if (span.from > span.to || span.to > made.text.size()) __builtin_trap();
  } catch (const slipstream::input_error &) {
  }
  return 0;
}

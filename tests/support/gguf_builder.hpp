#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace slipstream::test {

/// Builds GGUF files for tests, right ones and wrong ones: every field can be changed before bytes are made.
struct gguf_builder {
  struct entry {
    std::string key;
    std::uint32_t type;
    std::string bytes;
  };
  struct tensor {
    std::string name;
    std::vector<std::uint64_t> sizes;  // a row's length first, as the file has it
    std::uint32_t type = 0;
    std::string bytes;
    std::int64_t offset = -1;  // of its own choice
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::vector<entry> values;
  std::vector<tensor> tensors;
  std::int64_t claimed_values = -1, claimed_tensors = -1;

  template <class T>
  static std::string raw(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }
  static std::string text_bytes(const std::string &text) { return raw(std::uint64_t{text.size()}) + text; }

  gguf_builder &set(const std::string &key, std::uint32_t type, std::string bytes) {
    for (auto &each : values)
      if (each.key == key) {
        each = {key, type, std::move(bytes)};
        return *this;
      }
    values.push_back({key, type, std::move(bytes)});
    return *this;
  }
  gguf_builder &whole(const std::string &key, std::uint32_t value) { return set(key, 4, raw(value)); }
  gguf_builder &number(const std::string &key, float value) { return set(key, 6, raw(value)); }
  gguf_builder &flag(const std::string &key, bool value) {
    return set(key, 7, std::string(1, value ? 1 : 0));
  }
  gguf_builder &text(const std::string &key, const std::string &value) {
    return set(key, 8, text_bytes(value));
  }
  gguf_builder &texts(const std::string &key, const std::vector<std::string> &all) {
    std::string bytes = raw(std::uint32_t{8}) + raw(std::uint64_t{all.size()});
    for (const auto &each : all) bytes += text_bytes(each);
    return set(key, 9, bytes);
  }
  gguf_builder &wholes(const std::string &key, const std::vector<std::int32_t> &all) {
    std::string bytes = raw(std::uint32_t{5}) + raw(std::uint64_t{all.size()});
    for (const auto each : all) bytes += raw(each);
    return set(key, 9, bytes);
  }
  gguf_builder &without(const std::string &key) {
    std::erase_if(values, [&](const auto &each) { return each.key == key; });
    return *this;
  }
  tensor &find(const std::string &name) {
    for (auto &each : tensors)
      if (each.name == name) return each;
    return tensors.emplace_back(tensor{name, {}, 0, {}, -1});
  }
  gguf_builder &floats(const std::string &name, std::vector<std::uint64_t> sizes,
                       const std::vector<float> &numbers) {
    auto &made = find(name);
    made.sizes = std::move(sizes);
    made.type = 0;
    made.bytes.resize(4 * numbers.size());
    std::memcpy(made.bytes.data(), numbers.data(), made.bytes.size());
    return *this;
  }
  gguf_builder &without_tensor(const std::string &name) {
    std::erase_if(tensors, [&](const auto &each) { return each.name == name; });
    return *this;
  }

  std::string header() const {
    std::string bytes = magic + raw(version);
    bytes += raw(claimed_tensors < 0 ? std::uint64_t{tensors.size()}
                                     : static_cast<std::uint64_t>(claimed_tensors));
    bytes +=
        raw(claimed_values < 0 ? std::uint64_t{values.size()} : static_cast<std::uint64_t>(claimed_values));
    for (const auto &each : values) bytes += text_bytes(each.key) + raw(each.type) + each.bytes;
    std::uint64_t next = 0;
    for (const auto &each : tensors) {
      bytes += text_bytes(each.name) + raw(static_cast<std::uint32_t>(each.sizes.size()));
      for (const auto size : each.sizes) bytes += raw(size);
      bytes += raw(each.type) + raw(each.offset < 0 ? next : static_cast<std::uint64_t>(each.offset));
      next += padded(each.bytes.size());
    }
    return bytes;
  }
  std::string bytes() const {
    std::string all = header();
    all.resize(padded(all.size()), '\0');
    for (const auto &each : tensors) {
      all += each.bytes;
      all.resize(padded(all.size()), '\0');
    }
    return all;
  }

 private:
  std::uint64_t padded(std::uint64_t size) const { return (size + alignment - 1) / alignment * alignment; }
};

/// A whole small model: Llama, width 8, two layers, a byte-level vocabulary with one merge and three marks.
inline gguf_builder small_gguf() {
  gguf_builder made;
  made.text("general.architecture", "llama");
  for (const auto &[key, value] : {std::pair{"context_length", 32u},
                                   {"embedding_length", 8u},
                                   {"block_count", 2u},
                                   {"feed_forward_length", 16u},
                                   {"attention.head_count", 2u},
                                   {"attention.head_count_kv", 1u},
                                   {"rope.dimension_count", 4u}})
    made.whole(std::string("llama.") + key, value);
  made.number("llama.attention.layer_norm_rms_epsilon", 1e-5f).number("llama.rope.freq_base", 10000.0f);
  std::vector<std::string> tokens{"<s>", "</s>", "<|end|>"};
  std::vector<std::int32_t> kinds{3, 3, 3};
  for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter), kinds.push_back(1);
  for (char letter = '0'; letter <= '9'; ++letter) tokens.emplace_back(1, letter), kinds.push_back(1);
  for (const char *more : {"\xc4\xa0", "\xc4\x8a", ".", "th", "the"})
    tokens.emplace_back(more), kinds.push_back(1);
  const auto rows = tokens.size();
  made.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "smollm");
  made.texts("tokenizer.ggml.tokens", tokens).wholes("tokenizer.ggml.token_type", kinds);
  made.texts("tokenizer.ggml.merges", {"t h", "th e"});
  made.whole("tokenizer.ggml.bos_token_id", 0).whole("tokenizer.ggml.eos_token_id", 1);
  made.text("tokenizer.chat_template",
            "{% for m in messages %}{{ m.role }} {{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}");
  std::uint64_t seed = 1;
  const auto add = [&](const std::string &name, std::vector<std::uint64_t> sizes) {
    std::uint64_t count = 1;
    for (const auto size : sizes) count *= size;
    std::vector<float> numbers;
    for (std::uint64_t i = 0; i < count; ++i) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      numbers.push_back(static_cast<float>(static_cast<std::int64_t>(seed >> 40) - (1 << 23)) /
                        float(1 << 24));
    }
    made.floats(name, std::move(sizes), numbers);
  };
  add("token_embd.weight", {8, rows});
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    add(layer + "attn_norm.weight", {8});
    add(layer + "attn_q.weight", {8, 8});
    add(layer + "attn_k.weight", {8, 4});
    add(layer + "attn_v.weight", {8, 4});
    add(layer + "attn_output.weight", {8, 8});
    add(layer + "ffn_norm.weight", {8});
    add(layer + "ffn_gate.weight", {8, 16});
    add(layer + "ffn_up.weight", {8, 16});
    add(layer + "ffn_down.weight", {16, 8});
  }
  add("output_norm.weight", {8});
  return made;
}

}  // namespace slipstream::test

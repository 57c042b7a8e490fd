#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "tests/support/gguf_builder.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using builder = test::gguf_builder;

struct hostile {
  const char *what;
  std::function<std::string()> bytes;
  std::vector<std::string> says;  // beside the file's name
};

// A small model with a change.
std::function<std::string()> with(std::function<void(builder &)> change) {
  return [change] {
    auto made = test::small_gguf();
    change(made);
    return made.bytes();
  };
}

std::function<std::string()> whole(const std::string &key, std::uint32_t value) {
  return with([=](builder &made) { made.whole(key, value); });
}
std::function<std::string()> number(const std::string &key, float value) {
  return with([=](builder &made) { made.number(key, value); });
}
std::function<std::string()> text(const std::string &key, const std::string &value) {
  return with([=](builder &made) { made.text(key, value); });
}
std::function<std::string()> tensor(const std::string &name, std::function<void(builder::tensor &)> change) {
  return with([=](builder &made) { change(made.find(name)); });
}
std::function<std::string()> cut(std::size_t size) {
  return [=] { return test::small_gguf().bytes().substr(0, size); };
}
std::function<std::string()> cut_by(std::size_t size) {
  return [=] {
    const auto bytes = test::small_gguf().bytes();
    return bytes.substr(0, bytes.size() - size);
  };
}
void put_float(std::string &bytes, std::size_t at, float value) {
  std::memcpy(bytes.data() + 4 * at, &value, 4);
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN(),
                infinite = std::numeric_limits<float>::infinity();
constexpr std::uint64_t huge = std::uint64_t{1} << 62;

std::string list_of(std::uint32_t type, std::uint64_t count, const std::string &bytes) {
  return builder::raw(type) + builder::raw(count) + bytes;
}

const std::vector<hostile> files{
    {"another magic", with([](builder &m) { m.magic = "GGUX"; }), {"is no GGUF file"}},
    {"a text", [] { return std::string("hello, I am a model"); }, {"is no GGUF file"}},
    {"three bytes", [] { return std::string("GGU"); }, {"is no GGUF file"}},
    {"magic alone", [] { return std::string("GGUF"); }, {"version", "beyond the file's end"}},
    {"version 1", with([](builder &m) { m.version = 1; }), {"version: 1 is not supported"}},
    {"version 4", with([](builder &m) { m.version = 4; }), {"version: 4 is not supported"}},
    {"big-endian", with([](builder &m) { m.version = 0x03000000; }), {"version", "big-endian"}},
    {"too many keys", with([](builder &m) { m.claimed_values = INT64_MAX; }), {"kv_count", "no room"}},
    {"too many tensors",
     with([](builder &m) { m.claimed_tensors = INT64_MAX; }),
     {"tensor_count", "no room"}},
    {"one key too many",
     with([](builder &m) { m.claimed_values = static_cast<std::int64_t>(m.values.size()) + 1; }),
     {"error: "}},
    {"cut in the counts", cut(10), {"tensor_count", "beyond the file's end"}},
    {"cut in the keys", cut(100), {"error: "}},
    {"cut in the tokens", cut(700), {"tokenizer.ggml.tokens"}},
    {"cut in the data", cut_by(40), {"tensor ", "beyond the file's end"}},
    {"a key of no length",
     with([](builder &m) {
       m.values.push_back({"", 4, builder::raw(1u)});
     }),
     {"key ", "no name"}},
    {"a key twice",
     with([](builder &m) { m.values.push_back(m.values.front()); }),
     {"general.architecture: is given twice"}},
    {"a text that is too long",
     with([](builder &m) { m.set("general.name", 8, builder::raw(huge)); }),
     {"general.name", "beyond the file's end"}},
    {"an unknown type of value",
     with([](builder &m) { m.set("general.name", 13, "abcd"); }),
     {"general.name", "unknown type 13"}},
    {"a list that is too long",
     with([](builder &m) { m.set("general.tags", 9, list_of(4, huge, "")); }),
     {"general.tags", "no room"}},
    {"a list of an unknown type",
     with([](builder &m) { m.set("general.tags", 9, list_of(99, 1, "aaaa")); }),
     {"general.tags", "unknown type 99"}},
    {"a list of lists",
     with([](builder &m) { m.set("general.tags", 9, list_of(9, 1, list_of(4, 1, "aaaa"))); }),
     {"general.tags", "list of lists"}},
    {"a flag of 2",
     with([](builder &m) { m.set("tokenizer.ggml.add_bos_token", 7, "\2"); }),
     {"tokenizer.ggml.add_bos_token", "true or false"}},
    {"no architecture",
     with([](builder &m) { m.without("general.architecture"); }),
     {"general.architecture: is missing"}},
    {"an architecture that is a number",
     whole("general.architecture", 3),
     {"general.architecture: must be a text"}},
    {"another architecture",
     text("general.architecture", "mamba"),
     {"general.architecture: \"mamba\" is not supported"}},
    {"an architecture of bytes", text("general.architecture", "\xff\n\x01"), {"general.architecture"}},
    {"no context", whole("llama.context_length", 0), {"llama.context_length", "not 0"}},
    {"a rotary base of 0", number("llama.rope.freq_base", 0), {"llama.rope.freq_base", "above 0"}},
    {"a rotary base that is none",
     number("llama.rope.freq_base", not_a_number),
     {"llama.rope.freq_base", "finite"}},
    {"an infinite epsilon",
     number("llama.attention.layer_norm_rms_epsilon", infinite),
     {"layer_norm_rms_epsilon", "finite"}},
    {"no heads", whole("llama.attention.head_count", 0), {"llama.attention.head_count"}},
    {"heads that do not divide",
     whole("llama.attention.head_count_kv", 3),
     {"llama.attention.head_count_kv: 3 must divide"}},
    {"a width of millions", whole("llama.embedding_length", 1u << 30), {"llama.embedding_length"}},
    {"millions of layers", whole("llama.block_count", 1u << 20), {"llama.block_count"}},
    {"layers that differ",
     with([](builder &m) {
       m.wholes("llama.feed_forward_length", {16, 8});
     }),
     {"llama.feed_forward_length", "differ"}},
    {"a head that turns in part", whole("llama.rope.dimension_count", 2), {"llama.rope.dimension_count"}},
    {"YaRN", text("llama.rope.scaling.type", "yarn"), {"llama.rope.scaling.type: \"yarn\" is not supported"}},
    {"LongRoPE",
     with([](builder &m) {
       m.floats("rope_factors_long.weight", {2}, {1, 2});
     }),
     {"rope_factors_long.weight"}},
    {"factors of no rule",
     with([](builder &m) {
       m.floats("rope_freqs.weight", {2}, {9, 2});
     }),
     {"rope_freqs.weight"}},
    {"factors that are none",
     with([](builder &m) {
       m.floats("rope_freqs.weight", {2}, {1, not_a_number});
     }),
     {"rope_freqs.weight", "finite"}},
    {"a sliding window", whole("llama.attention.sliding_window", 8), {"llama.attention.sliding_window: 8"}},
    {"experts", whole("llama.expert_count", 8), {"llama.expert_count"}},
    {"a key that is not known", number("llama.logit_scale", 0.5f), {"llama.logit_scale", "not known"}},
    {"a part of a model", whole("split.count", 3), {"split.count", "3 files"}},
    {"another vocabulary", whole("llama.vocab_size", 7), {"llama.vocab_size: is 7"}},
    {"an end beyond the embedding",
     whole("tokenizer.ggml.eos_token_id", 4000),
     {"tokenizer.ggml.eos_token_id: 4000"}},
    {"a padding of minus one",
     whole("tokenizer.ggml.padding_token_id", 0xffffffff),
     {"tokenizer.ggml.padding_token_id"}},
    {"an end of a turn beyond",
     whole("tokenizer.ggml.eot_token_id", 99),
     {"tokenizer.ggml.eot_token_id: 99"}},
    {"SentencePiece",
     text("tokenizer.ggml.model", "llama"),
     {"tokenizer.ggml.model: \"llama\" is not supported"}},
    {"a unigram", text("tokenizer.ggml.model", "t5"), {"tokenizer.ggml.model: \"t5\"", "unigram"}},
    {"an unknown pre-tokenizer",
     text("tokenizer.ggml.pre", "no-such"),
     {"tokenizer.ggml.pre: \"no-such\" is not supported"}},
    {"a pre-tokenizer with a space", text("tokenizer.ggml.pre", "gpt-2 phi-2"), {"tokenizer.ggml.pre"}},
    {"a merge of one part",
     with([](builder &m) { m.texts("tokenizer.ggml.merges", {"th"}); }),
     {"tokenizer.ggml.merges[0]: \"th\" must be two"}},
    {"a merge of three parts",
     with([](builder &m) {
       m.texts("tokenizer.ggml.merges", {"t h", "t h e"});
     }),
     {"tokenizer.ggml.merges[1]"}},
    {"a merge that makes no token",
     with([](builder &m) { m.texts("tokenizer.ggml.merges", {"t z"}); }),
     {"tokenizer.ggml.merges[0]: \"tz\" is none"}},
    {"merges of numbers",
     with([](builder &m) {
       m.wholes("tokenizer.ggml.merges", {1, 2});
     }),
     {"tokenizer.ggml.merges", "list of texts"}},
    {"no tokens",
     with([](builder &m) { m.without("tokenizer.ggml.tokens"); }),
     {"tokenizer.ggml.tokens: there are none"}},
    {"no merges",
     with([](builder &m) { m.without("tokenizer.ggml.merges"); }),
     {"tokenizer.ggml.merges: is missing"}},
    {"kinds for other tokens",
     with([](builder &m) {
       m.wholes("tokenizer.ggml.token_type", {1, 1, 1});
     }),
     {"tokenizer.ggml.token_type", "3 for"}},
    {"a token twice",
     with([](builder &m) {
       m.texts("tokenizer.ggml.tokens", {"a", "b", "a"}).without("tokenizer.ggml.token_type");
     }),
     {"tokenizer.ggml.tokens[2]: \"a\" is given twice"}},
    {"an empty token",
     with([](builder &m) {
       m.texts("tokenizer.ggml.tokens", {"a", "b", ""}).without("tokenizer.ggml.token_type");
     }),
     {"tokenizer.ggml.tokens[2]: is an empty token"}},
    {"a token that is no text",
     with([](builder &m) {
       m.texts("tokenizer.ggml.tokens", {"a", "b", "\xff\xfe"}).without("tokenizer.ggml.token_type");
     }),
     {"tokenizer.ggml.tokens[2]"}},
    {"more tokens than rows",
     with([](builder &m) {
       std::vector<std::string> many;
       for (int i = 0; i < 100; ++i) many.push_back("t" + std::to_string(i));
       m.texts("tokenizer.ggml.tokens", many).without("tokenizer.ggml.token_type");
     }),
     {"tokenizer.ggml.tokens: there are 100"}},
    {"a begin that is not there",
     with([](builder &m) {
       m.flag("tokenizer.ggml.add_bos_token", true).without("tokenizer.ggml.bos_token_id");
     }),
     {"tokenizer.ggml.add_bos_token", "no tokenizer.ggml.bos_token_id"}},
    {"a tensor twice",
     with([](builder &m) { m.tensors.push_back(m.tensors.front()); }),
     {"token_embd.weight: is given twice"}},
    {"a tensor without a size",
     tensor("output_norm.weight", [](auto &t) { t.sizes = {0}; }),
     {"tensor output_norm.weight", "size of 0"}},
    {"a tensor without dimensions",
     tensor("output_norm.weight", [](auto &t) { t.sizes = {}; }),
     {"tensor output_norm.weight", "0 dimensions"}},
    {"a tensor of five dimensions",
     tensor("output_norm.weight",
            [](auto &t) {
              t.sizes = {8, 1, 1, 1, 1};
            }),
     {"tensor output_norm.weight", "5 dimensions"}},
    {"a tensor beyond all numbers",
     tensor("output_norm.weight",
            [](auto &t) {
              t.sizes = {huge, huge};
            }),
     {"tensor output_norm.weight"}},
    {"a tensor beyond the file",
     tensor("output_norm.weight",
            [](auto &t) {
              t.sizes = {8, 1u << 30};
            }),
     {"tensor output_norm.weight", "beyond the file's end"}},
    {"an offset beyond the file",
     tensor("output_norm.weight", [](auto &t) { t.offset = std::int64_t{1} << 40; }),
     {"tensor output_norm.weight", "beyond the file's end"}},
    {"an offset that is not aligned",
     tensor("output_norm.weight", [](auto &t) { t.offset = 8; }),
     {"output_norm.weight", "not aligned"}},
    {"tensors that overlap", tensor("output_norm.weight", [](auto &t) { t.offset = 32; }), {"overlaps"}},
    {"a type that ggml does not have",
     tensor("output_norm.weight", [](auto &t) { t.type = 77; }),
     {"tensor output_norm.weight", "unknown type 77"}},
    {"a type that is not supported",
     tensor("blk.0.ffn_up.weight",
            [](auto &t) {
              t.type = 28;
              t.bytes.resize(8 * 128);
            }),
     {"blk.0.ffn_up.weight", "F64"}},
    {"blocks that do not fit a row",
     tensor("blk.0.ffn_up.weight", [](auto &t) { t.type = 8; }),
     {"blk.0.ffn_up.weight", "Q8_0"}},
    {"another shape",
     tensor("blk.0.ffn_up.weight",
            [](auto &t) {
              t.sizes = {16, 8};
            }),
     {"tensor blk.0.ffn_up.weight: has shape [8, 16]"}},
    {"a matrix as a row",
     tensor("output_norm.weight",
            [](auto &t) {
              t.sizes = {4, 2};
            }),
     {"tensor output_norm.weight: has shape"}},
    {"an embedding of another width",
     tensor("token_embd.weight",
            [](auto &t) {
              t.sizes = {4, t.sizes[1] * 2};
            }),
     {"tensor token_embd.weight"}},
    {"no embedding",
     with([](builder &m) { m.without_tensor("token_embd.weight"); }),
     {"tensor token_embd.weight: is missing"}},
    {"no norm",
     with([](builder &m) { m.without_tensor("output_norm.weight"); }),
     {"tensor output_norm.weight: is missing"}},
    {"a tensor without a place",
     with(
         [](builder &m) {
           m.floats("blk.0.ffn_extra.weight", {2}, {1, 2});
         }),
     {"tensor blk.0.ffn_extra.weight: has no place"}},
    {"a weight that is no number",
     tensor("blk.1.ffn_up.weight", [](auto &t) { put_float(t.bytes, 5, not_a_number); }),
     {"tensor blk.1.ffn_up.weight", "not finite"}},
    {"an infinite weight of a query",
     tensor("blk.1.attn_q.weight", [](auto &t) { put_float(t.bytes, 0, -infinite); }),
     {"tensor blk.1.attn_q.weight", "not finite"}},
    {"an alignment of 0", whole("general.alignment", 0), {"general.alignment: 0"}},
    {"an alignment of 24", whole("general.alignment", 24), {"general.alignment: 24"}},
    {"an alignment that is a text", text("general.alignment", "32"), {"general.alignment"}}};

std::string refusal(const std::filesystem::path &file) {
  try {
    verify_checkpoint(file);
    (void)load_checkpoint(file);
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("hostile GGUF files are refused in one line that names file and key") {
  CHECK(files.size() >= 80);
  const test::scratch place;
  for (const auto &each : files) {
    INFO(each.what);
    const auto path = place.write("hostile.gguf", each.bytes());
    const auto said = refusal(path);
    CHECK_THAT(said, test::Contains(path.string() + ": error: "));
    for (const auto &part : each.says) CHECK_THAT(said, test::Contains(part));
    CHECK(std::count(said.begin(), said.end(), '\n') == 0);
    CHECK(said.size() < 1500);
  }
}

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "actors/commands/arguments.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/gguf_export.hpp"
#include "models/files/model_files.hpp"
#include "models/files/model_tokens.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The model folder or GGUF file itself, or a run folder's last checkpoint.
fs::path model_folder(const fs::path &given) {
  if (is_model_file(given)) return given;
  const auto last = run_paths(given).checkpoints / "last";
  if (fs::is_directory(last)) return fs::canonical(last);
  if (fs::exists(given / "config.json") || fs::exists(given / "adapter_config.json")) return given;
  throw input_error(given.string() + ": error: neither a run folder with a finished checkpoint (" +
                    last.string() + ") nor a model folder (config.json); check the path");
}

at::ScalarType parse_type(const std::string &name) {
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16})
    if (name == type_name(type)) return type;
  throw input_error("--dtype: \"" + name + "\" is not supported; use float32, float16 or bfloat16");
}

std::string part_of(const parameter_slot &slot) {
  using role = parameter_slot::role;
  if (slot.kind == role::table) return "embeddings";
  if (slot.name == "score.weight" || slot.name == "lm_head.weight") return "head";
  if (slot.name.find(".mlp.") != std::string::npos) return "mlp";
  const bool attention = slot.name.find("attn.") != std::string::npos && slot.kind != role::gain;
  return attention ? "attention" : "norms";
}

json described(const chosen_token &token, const tokenizer &text) {
  if (token.id < 0) return nullptr;
  return {{"id", token.id}, {"text", text.bytes_of(token.id, true)}, {"from", token.from}};
}

/// Which tokens end, begin and pad a text, and which files say so; null without a tokenizer.
json describe_tokens(const fs::path &folder, const model_spec &spec) {
  const auto place = tokenizer_folder(folder);
  if (!has_model_text(place, "tokenizer.json")) return nullptr;
  const auto text = load_tokenizer(place);
  const auto chosen = choose_tokens(folders_of(folder), *text, spec.vocab_size);
  return {{"end", described(chosen.end, *text)},
          {"answer_end", described(chosen.answer_end, *text)},
          {"stops", chosen.stops},
          {"stops_from", chosen.stops_from},
          {"begin", described(chosen.begin, *text)},
          {"pad", described(chosen.pad, *text)},
          {"notes", chosen.notes},
          {"vocab_size", text->vocab_size()}};
}

json describe(const fs::path &folder) {
  const auto spec = checkpoint_spec(folder);
  const auto adapter = checkpoint_adapter(folder);
  const std::int64_t count = parameter_count(spec);
  json parts = json::object();
  for (const auto &slot : parameter_layout(spec))
    parts[part_of(slot)] = parts.value(part_of(slot), std::int64_t{0}) + slot.count();
  const std::int64_t trained = adapter ? adapter_count(spec, adapter->spec) : count;
  const std::int64_t cache = 2 * spec.layers * spec.kv_heads * spec.head_dim * 4;
  constexpr std::int64_t number = 4;  // float32, the type that computes
  json result = {{"folder", folder.string()},
                 {"model_type", spec.model_type},
                 {"head", spec.labels > 0 ? "score" : "tokens"},
                 {"layers", spec.layers},
                 {"hidden_size", spec.hidden_size},
                 {"intermediate_size", spec.intermediate_size},
                 {"heads", spec.heads},
                 {"kv_heads", spec.kv_heads},
                 {"head_dim", spec.head_dim},
                 {"vocab_size", spec.vocab_size},
                 {"context", spec.max_positions},
                 {"tied_embeddings", spec.tied_embeddings},
                 {"tokenizer", has_model_text(tokenizer_folder(folder), "tokenizer.json")},
                 {"tokens", describe_tokens(folder, spec)},
                 {"parameters", count},
                 {"parameters_by_part", parts},
                 {"memory",
                  {{"weights", count * number},
                   {"cache_per_token", cache},
                   {"cache_per_sequence", cache * spec.max_positions},
                   {"gradients", trained * number},
                   {"optimizer", 2 * trained * number},
                   {"sampling", count * number + cache * spec.max_positions},
                   // two published versions may be in use beside the learner's own
                   {"training", count * number + (1 + 2 + 2) * trained * number}}}};
  if (adapter)
    result["adapter"] = {{"base", adapter->base.string()},
                         {"rank", adapter->spec.rank},
                         {"alpha", adapter->spec.alpha},
                         {"targets", adapter->spec.targets},
                         {"parameters", trained}};
  return result;
}

std::string megabytes(const json &bytes) {
  return fmt::format("{:.1f} MB", bytes.get<double>() / 1e6);
}

std::string token_text(const json &token) {
  if (token.is_null()) return "none";
  return fmt::format("{} ({}, by {})",
                     json(token["text"]).dump(-1, ' ', true, json::error_handler_t::replace),
                     token["id"].get<std::int64_t>(), token["from"].get<std::string>());
}

void print_tokens(const json &tokens) {
  if (tokens.is_null()) return;
  const auto from = tokens["stops_from"].get<std::string>();
  fmt::print("  answers end with {}; generations stop at {}{}\n", token_text(tokens["end"]),
             tokens["stops"].empty() ? "none" : tokens["stops"].dump(), from.empty() ? "" : ", with " + from);
  if (!tokens["answer_end"].is_null())
    fmt::print("  answers in dialogues end with {}\n", token_text(tokens["answer_end"]));
  fmt::print("  texts begin with {}, padding is {}\n", token_text(tokens["begin"]),
             token_text(tokens["pad"]));
  for (const auto &note : tokens["notes"]) fmt::print("  note: {}\n", note.get<std::string>());
}

void print_text(const json &model) {
  fmt::print("{}\n", model["folder"].get<std::string>());
  fmt::print("  {} with a {} head, {} layers, width {} (inner {}), {} heads ({} for keys and values) of {}\n",
             model["model_type"].get<std::string>(), model["head"].get<std::string>(),
             model["layers"].get<int>(), model["hidden_size"].get<int>(),
             model["intermediate_size"].get<int>(), model["heads"].get<int>(), model["kv_heads"].get<int>(),
             model["head_dim"].get<int>());
  fmt::print("  vocabulary {}, context {} tokens, {}, {}\n", model["vocab_size"].get<int>(),
             model["context"].get<int>(),
             model["tied_embeddings"].get<bool>() ? "tied head" : "head of its own",
             model["tokenizer"].get<bool>() ? "with a tokenizer" : "no tokenizer");
  print_tokens(model["tokens"]);
  fmt::print("  parameters {:>14}\n", model["parameters"].get<std::int64_t>());
  for (const auto &[part, count] : model["parameters_by_part"].items())
    fmt::print("    {:<10} {:>12}\n", part, count.get<std::int64_t>());
  if (model.contains("adapter"))
    fmt::print("  LoRA of rank {} (alpha {}) with {} parameters over {}\n",
               model["adapter"]["rank"].get<int>(), model["adapter"]["alpha"].get<double>(),
               model["adapter"]["parameters"].get<std::int64_t>(),
               model["adapter"]["base"].get<std::string>());
  const json &memory = model["memory"];
  fmt::print("  memory in float32: sampling {} (weights {}, and {} a sequence of full length),\n",
             megabytes(memory["sampling"]), megabytes(memory["weights"]),
             megabytes(memory["cache_per_sequence"]));
  fmt::print(
      "    training {} and activations (weights, gradients {}, optimizer {}, two published versions)\n",
      megabytes(memory["training"]), megabytes(memory["gradients"]), megabytes(memory["optimizer"]));
}

}  // namespace

int execute(const export_arguments &arguments) {
  results_are_files();
  const auto from = model_folder(arguments.from);
  const bool gguf = arguments.format == "gguf";
  if (!gguf && !arguments.gguf_type.empty())
    throw input_error("--type: is for GGUF files; add --format gguf, or write --dtype for a folder");
  if (gguf && (arguments.type != "float32" || arguments.keep_adapter))
    throw input_error("--format gguf: --dtype and --keep-adapter are for folders; write --type");
  save_options options;
  options.type = parse_type(arguments.type);
  options.shard_bytes = static_cast<std::uint64_t>(arguments.shard_megabytes) * 1'000'000;
  if (!gguf && fs::exists(arguments.to) && !(fs::is_directory(arguments.to) && fs::is_empty(arguments.to)))
    throw input_error(arguments.to.string() + ": error: is there already; export to a new folder");
  auto model = load_checkpoint(from);
  if (model.adapter && !arguments.keep_adapter) {
    model.flat = merge_adapter(model.spec, model.flat, model.adapter->spec, model.adapter->values);
    model.adapter.reset();
  }
  if (gguf)
    export_gguf(arguments.to, model, tokenizer_folder(from),
                arguments.gguf_type.empty() ? "f32" : arguments.gguf_type);
  else
    save_checkpoint(arguments.to, model, {}, "", options);
  fmt::print("{}\n", arguments.to.string());
  return 0;
}

int execute(const inspect_arguments &arguments) {
  const auto found = model_folder(arguments.folder);
  verify_checkpoint(found);
  const json model = describe(found);
  if (arguments.json)
    fmt::print("{}\n", model.dump(2, ' ', false, json::error_handler_t::replace));
  else
    print_text(model);
  return 0;
}

}  // namespace slipstream

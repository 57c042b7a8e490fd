#include "runtime/learning/model_store.hpp"

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/model_tokens.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

std::shared_ptr<const tokenizer> fresh_tokenizer(const model_config &config) {
  if (!config.alphabet.empty()) return make_character_tokenizer(config.alphabet);
  if (config.tokenizer == "bytes") return make_byte_tokenizer();
  try {
    auto text = load_tokenizer(config.tokenizer);
    if (text->eos() < 0)
      throw input_error(config.tokenizer + ": error: tokenizer_config.json names no eos_token; add one");
    return text;
  } catch (const input_error &problem) {
    fail_at(config.at, problem.what());
  }
}

model_description describe_fresh(const model_config &config) {
  auto text = fresh_tokenizer(config);
  auto spec = config.spec;
  spec.labels = config.labels;
  spec.vocab_size = text->vocab_size();
  spec.bos_token = text->bos();
  if (text->eos() >= 0) spec.eos_tokens = {text->eos()};
  spec.pad_token = text->pad();
  if (config.lora)
    fail_at(config.at,
            "[models." + config.name + ".lora] adapts a trained model, but this one is fresh; give from");
  return {std::move(spec), std::move(text), {}, {}};
}

model_description describe_folder(const model_config &config, const std::string &run_folder) {
  const auto folder = resolve_model(config.from, run_folder, config.at);
  try {
    verify_checkpoint(folder);
    model_description result{checkpoint_spec(folder, config.labels), {}, folder, checkpoint_adapter(folder)};
    auto text = load_tokenizer(tokenizer_folder(folder));
    auto chosen = choose_tokens(folders_of(folder), *text, result.spec.vocab_size);
    result.text = with_tokens(std::move(text), std::move(chosen), result.spec);
    if (!config.lora) return result;
    if (result.adapter)
      throw input_error(
          "[models." + config.name + ".lora]: " + folder.string() +
          " holds adapters already; leave the table out to train these, or merge them first with "
          "slipstream export");
    result.adapter = stored_adapter{*config.lora, {}, std::filesystem::absolute(folder).lexically_normal()};
    adapter_layout(result.spec, *config.lora);  // refuses targets that are not there
    return result;
  } catch (const input_error &problem) {
    fail_at(config.at, problem.what());
  }
}

}  // namespace

model_store::model_store(const topology &graph) : graph_(graph) {}

const model_config &model_store::config(const std::string &name) const {
  const auto *found = graph_.find_model(name);
  if (!found) throw run_error("no model \"" + name + "\" in " + graph_.source.string());
  return *found;
}

const model_description &model_store::describe(const std::string &name) {
  if (const auto known = descriptions_.find(name); known != descriptions_.end()) return known->second;
  const auto &wanted = config(name);
  model_description result;
  switch (wanted.source) {
    case model_config::origin::copy_of: {
      result = describe(wanted.copy_of);
      if (wanted.labels > 0) result.spec.labels = wanted.labels;
      break;
    }
    case model_config::origin::fresh:
      result = describe_fresh(wanted);
      break;
    case model_config::origin::from:
      result = describe_folder(wanted, graph_.run.folder);
      break;
  }
  return descriptions_.emplace(name, std::move(result)).first->second;
}

std::string model_store::stop_at_answer_end(const std::string &name, const chat_template &style) {
  auto changed = describe(name).spec;
  auto said = slipstream::stop_at_answer_end(style, *describe(name).text, changed);
  const auto source = [&](std::string of) {
    while (config(of).source == model_config::origin::copy_of) of = config(of).copy_of;
    return of;
  };
  for (auto &[other, description] : descriptions_)
    if (graph_.find_model(other) && source(other) == source(name))
      description.spec.eos_tokens = changed.eos_tokens;
  return said;
}

void model_store::provide(const std::string &name, model_description description,
                          std::shared_ptr<const transformer> network) {
  descriptions_.insert_or_assign(name, std::move(description));
  if (network) loaded_.insert_or_assign(name, std::move(network));
}

std::shared_ptr<const transformer> model_store::load(const std::string &name) {
  if (const auto known = loaded_.find(name); known != loaded_.end()) return known->second;
  const auto &wanted = config(name);
  const auto &described = describe(name);
  std::shared_ptr<const transformer> result;
  if (wanted.source == model_config::origin::copy_of) {
    result = load(wanted.copy_of);
  } else if (described.folder.empty()) {
    result = std::make_shared<const transformer>(
        described.spec, initial_parameters(described.spec, graph_.run.seed), graph_.run.numerics);
  } else {
    auto read = load_checkpoint(described.folder, described.spec.labels);
    read.spec.eos_tokens = described.spec.eos_tokens;
    if (wanted.lora) {
      const auto values = initial_adapter(read.spec, *wanted.lora, read.flat, graph_.run.seed);
      read.adapter = stored_adapter{*wanted.lora, values, described.adapter->base};
    }
    result = std::make_shared<const transformer>(read.network(graph_.run.numerics));
  }
  return loaded_.emplace(name, std::move(result)).first->second;
}

}  // namespace slipstream

#include "runtime/topology/resolved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/topology/schedule.hpp"

namespace slipstream {

namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  auto text = fmt::format("{}", value);  // the shortest text that reads back to the same bits
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string array_text(const node::array &items) {
  std::string text;
  for (const auto &item : items) text += (text.empty() ? "" : ", ") + write_value(item);
  return "[" + text + "]";
}

std::string table_text(const node::table &entries) {
  std::string text;
  for (const auto &entry : entries)
    text +=
        fmt::format("{}{} = {}", text.empty() ? "" : ", ", write_key(entry.key), write_value(entry.content));
  return text.empty() ? "{}" : "{ " + text + " }";
}

struct writer {
  std::string text;

  void table(const std::string &path) { text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", path); }
  void text_key(const std::string &key, std::string_view value) {
    text += fmt::format("{} = {}\n", key, in_quotes(value));
  }
  void integer(const std::string &key, std::int64_t value) { text += fmt::format("{} = {}\n", key, value); }
  void real(const std::string &key, double value) { text += fmt::format("{} = {}\n", key, number(value)); }
  void flag(const std::string &key, bool value) { text += fmt::format("{} = {}\n", key, value); }
  void texts(const std::string &key, const std::vector<std::string> &values) {
    std::string list;
    for (const auto &value : values) list += (list.empty() ? "" : ", ") + in_quotes(value);
    text += fmt::format("{} = [{}]\n", key, list);
  }
};

void write_run(writer &out, const run_config &run) {
  out.table("run");
  out.text_key("name", run.name);
  out.integer("seed", static_cast<std::int64_t>(run.seed));
  out.integer("updates", run.updates);
  out.text_key("folder", run.folder);
  out.integer("threads", run.threads);
  out.integer("checkpoint_every", run.checkpoint_every);
  out.integer("stall_after", run.stall_after);
  out.text_key("when_stalled", run.restart_stalled ? "restart" : "stop");
  out.text_key("numerics", run.numerics == numerics::exact ? "exact" : "fast");
  if (!run.date.empty()) out.text_key("date", run.date);
}

void write_network(writer &out, const model_config &model) {
  const auto &spec = model.spec;
  out.text_key("architecture", spec.model_type);
  out.integer("hidden_size", spec.hidden_size);
  out.integer("layers", spec.layers);
  out.integer("heads", spec.heads);
  out.integer("kv_heads", spec.kv_heads);
  out.integer("head_dim", spec.head_dim);
  out.integer("intermediate_size", spec.intermediate_size);
  out.integer("max_positions", spec.max_positions);
  out.flag("tied_embeddings", spec.tied_embeddings);
  out.real("norm_eps", spec.norm_eps);
  if (spec.positions == position_kind::rotary) out.real("rope_theta", spec.rope_theta);
  out.real("initializer_range", spec.initializer_range);
  if (!model.alphabet.empty()) out.text_key("alphabet", model.alphabet);
  if (!model.tokenizer.empty()) out.text_key("tokenizer", model.tokenizer);
}

void write_lora(writer &out, const model_config &model) {
  if (!model.lora) return;
  out.table("models." + write_key(model.name) + ".lora");
  out.integer("rank", model.lora->rank);
  out.real("alpha", model.lora->alpha);
  out.flag("rank_stabilised", model.lora->rank_stabilised);
  out.texts("targets", model.lora->targets);
}

void write_model(writer &out, const model_config &model) {
  out.table("models." + write_key(model.name));
  switch (model.source) {
    case model_config::origin::from:
      out.text_key("from", model.from);
      break;
    case model_config::origin::copy_of:
      out.text_key("copy_of", model.copy_of);
      return;
    case model_config::origin::fresh:
      write_network(out, model);
      break;
  }
  out.text_key("head", model.labels == 1 ? "score" : "tokens");
  write_lora(out, model);
}

void write_data(writer &out, const data_config &data) {
  if (data.make.empty()) return;
  out.table("data");
  out.text_key("make", data.make);
  out.text_key("folder", data.folder);
  out.integer("seed", static_cast<std::int64_t>(data.seed));
}

void write_actor(writer &out, const actor_config &actor) {
  out.table("actors." + write_key(actor.name));
  out.text_key("kind", actor.kind);
  std::string takes;
  for (const auto &edge : actor.takes) takes += (takes.empty() ? "" : ", ") + in_quotes(edge.name);
  if (!takes.empty()) out.text += fmt::format("takes = [{}]\n", takes);
  out.text_key("device", actor.device);
  std::string nodes;
  for (const auto &each : actor.nodes) nodes += (nodes.empty() ? "" : ", ") + in_quotes(each.name);
  if (!nodes.empty()) out.text += fmt::format("node = [{}]\n", nodes);
  for (const auto &entry : *actor.node.as_table())
    out.text += fmt::format("{} = {}\n", write_key(entry.key), write_value(entry.content));
}

}  // namespace

std::string write_number(double value) {
  return number(value);
}

std::string write_text(std::string_view text) {
  return in_quotes(text);
}

std::string write_key(const std::string &key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? key : in_quotes(key);
}

std::string write_value(const node &value) {
  if (const auto *text = value.as_text()) return in_quotes(*text);
  if (const auto *integer = value.as_integer()) return fmt::to_string(*integer);
  if (const auto *real = std::get_if<double>(&value.value)) return number(*real);
  if (const auto *flag = std::get_if<bool>(&value.value)) return *flag ? "true" : "false";
  if (const auto *items = value.as_array()) return array_text(*items);
  return table_text(*value.as_table());
}

std::string write_resolved(const topology &graph) {
  writer out;
  write_run(out, graph.run);
  out.text += "\n" + write_schedule(graph.schedule);
  for (const auto &model : graph.models) write_model(out, model);
  write_data(out, graph.data);
  out.text += write_nodes(graph.nodes) + write_chaos(graph.chaos);
  for (const auto &actor : graph.actors) write_actor(out, actor);
  return out.text;
}

}  // namespace slipstream

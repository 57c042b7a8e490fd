#include "runtime/topology/resolved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/topology/schedule.hpp"
#include "runtime/topology/table_keys.hpp"

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

void write_run(table_writer &out, const run_config &run) {
  out.table("run");
  run_keys(out, run);
}

void write_network(table_writer &out, const model_config &model) {
  out.text("architecture", model.spec.model_type);
  network_keys(out, model.spec);
  out.text_if_any("alphabet", model.alphabet);
  out.text_if_any("tokenizer", model.tokenizer);
}

void write_lora(table_writer &out, const model_config &model) {
  if (!model.lora) return;
  out.table("models." + write_key(model.name) + ".lora");
  lora_keys(out, *model.lora);
}

void write_model(table_writer &out, const model_config &model) {
  out.table("models." + write_key(model.name));
  switch (model.source) {
    case model_config::origin::from:
      out.text("from", model.from);
      break;
    case model_config::origin::copy_of:
      out.text("copy_of", model.copy_of);
      return;
    case model_config::origin::fresh:
      write_network(out, model);
      break;
  }
  head_key(out, model);
  write_lora(out, model);
}

void write_data(table_writer &out, const data_config &data) {
  if (data.make.empty()) return;
  out.table("data");
  data_keys(out, data);
}

void write_names(table_writer &out, const std::string &key, const std::vector<taken> &all) {
  std::vector<std::string> names;
  for (const auto &each : all) names.push_back(each.name);
  if (!names.empty()) out.texts(key, names);
}

void write_actor(table_writer &out, const actor_config &actor) {
  out.table("actors." + write_key(actor.name));
  out.text("kind", actor.kind);
  write_names(out, "takes", actor.takes);
  out.text("device", actor.device);
  write_names(out, "node", actor.nodes);
  for (const auto &entry : *actor.node.as_table()) out.line(write_key(entry.key), write_value(entry.content));
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
  table_writer out;
  write_run(out, graph.run);
  out.out += "\n" + write_schedule(graph.schedule);
  for (const auto &model : graph.models) write_model(out, model);
  write_data(out, graph.data);
  out.out += write_nodes(graph.nodes) + write_chaos(graph.chaos);
  for (const auto &actor : graph.actors) write_actor(out, actor);
  return out.out;
}

}  // namespace slipstream

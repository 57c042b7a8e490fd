#include "runtime/topology/topology.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/error.hpp"
#include "runtime/data/make.hpp"
#include "runtime/topology/checks.hpp"
#include "runtime/topology/models.hpp"
#include "runtime/topology/renamed_keys.hpp"
#include "runtime/topology/run_date.hpp"
#include "runtime/topology/schedule.hpp"
#include "runtime/topology/suggest.hpp"
#include "runtime/topology/table_keys.hpp"

namespace slipstream {

namespace {

const std::vector<std::string> tables{"run", "schedule", "models", "data", "nodes", "chaos", "actors"};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

settings open_table(const node &document, const std::string &name) {
  const node *table = document.find(name);
  return settings(table != nullptr ? *table : node{{}, document.at, name});
}

run_config read_run(const node &document, const source_position &file) {
  if (document.find("run") == nullptr)
    fail_at(file, "[run] is missing; add [run] with name = \"…\" and updates = 100");
  auto s = open_table(document, "run");
  run_config run;
  table_reader keys(s);
  run_keys(keys, run);
  if (!is_name(run.name))
    s.fail("name",
           "name becomes a folder: write letters, digits, dots, dashes and underscores, not beginning with "
           "a dot");
  if (run.folder.empty())
    s.fail("folder", "folder is empty; write folder = \"runs\", or \".\" for this folder");
  if (!run.date.empty() && !is_date(run.date))
    s.fail("date", "date is a moment, as in \"2026-11-30 14:05:09\"");
  s.finish();
  return run;
}

data_config read_data(const node &document) {
  auto s = open_table(document, "data");
  data_config data;
  data.at = s.at("make");
  table_reader keys(s);
  data_keys(keys, data);
  try {
    if (!data.make.empty()) find_maker(data.make);
  } catch (const input_error &unknown) {
    s.fail("make", unknown.what());
  }
  s.finish();
  if (data.make.empty() && !data.folder.empty())
    s.fail("folder",
           "folder says where made files go, but nothing is made; add make = \"sort\" or remove folder");
  return data;
}

std::vector<taken> read_names(settings &s, const std::string &key) {
  std::vector<taken> takes;
  const auto names = s.texts(key);
  const node *value = s.find(key);
  for (std::size_t i = 0; i < names.size(); ++i)
    takes.push_back({names[i], value->as_array() != nullptr ? (*value->as_array())[i].at : value->at});
  return takes;
}

bool is_device(std::string_view device) {
  if (device == "cpu" || device == "cuda") return true;
  if (!device.starts_with("cuda:")) return false;
  const auto index = device.substr(5);
  return !index.empty() && index.size() <= 2 &&
         std::all_of(index.begin(), index.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

const std::vector<std::string> common_keys{"kind", "takes", "device", "node"};

actor_config read_actor(const std::string &name, const node &table) {
  settings s(table);
  actor_config actor;
  actor.name = name;
  actor.at = table.at;
  if (!s.has("kind")) s.fail("", "has no kind; add a line such as kind = \"loader\"");
  actor.kind = s.required_text("kind");
  actor.kind_at = s.at("kind");
  actor.takes = read_names(s, "takes");
  actor.nodes = read_names(s, "node");
  actor.device = s.text("device", "cpu");
  actor.device_at = s.at("device");
  if (!is_device(actor.device))
    s.fail("device", fmt::format("device must be \"cpu\", \"cuda\" or \"cuda:N\", not \"{}\"", actor.device));
  actor.node = table;
  std::erase_if(std::get<node::table>(actor.node.value), [](const node_entry &entry) {
    return std::find(common_keys.begin(), common_keys.end(), entry.key) != common_keys.end();
  });
  return actor;
}

std::vector<actor_config> read_actors(const node &document, const source_position &file) {
  const node *table = document.find("actors");
  if (table == nullptr)
    fail_at(file, "[actors] is missing; add at least a loader and a learner, as in [actors.learner]");
  const settings is_table(*table);
  std::vector<actor_config> actors;
  for (const auto &entry : *table->as_table()) {
    if (!is_name(entry.key))
      fail_at(
          entry.at,
          fmt::format("\"{}\" cannot name an actor; use letters, digits, dashes and underscores", entry.key));
    actors.push_back(read_actor(entry.key, entry.content));
  }
  if (actors.empty()) fail_at(table->at, "[actors] is empty; add at least a loader and a learner");
  return actors;
}

// "actors.sampler.group" concerns a document that has that actor; "run.seed" concerns every one.
bool concerns(const std::vector<std::string> &path, const node &document) {
  if (path.front() != "actors" && path.front() != "models") return true;
  const node *table = document.find(path.front());
  return table != nullptr && table->find(path[1]) != nullptr;
}

}  // namespace

settings actor_config::settings() const {
  return slipstream::settings(node, common_keys);
}

const actor_config *topology::find_actor(std::string_view name) const {
  const auto found =
      std::find_if(actors.begin(), actors.end(), [&](const auto &actor) { return actor.name == name; });
  return found == actors.end() ? nullptr : &*found;
}

const model_config *topology::find_model(std::string_view name) const {
  const auto found =
      std::find_if(models.begin(), models.end(), [&](const auto &model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

std::filesystem::path topology::run_folder() const {
  return std::filesystem::path(run.folder) / run.name;
}

topology make_topology(const node &given, const std::filesystem::path &source) {
  const source_position file{source.string(), 0, 0};
  node document = given;
  settings root(document, tables);
  root.finish();
  topology graph;
  graph.source = source;
  graph.notes = rename_keys(document);
  graph.run = read_run(document, file);
  graph.schedule = read_schedule(document);
  graph.models = read_models(document);
  graph.data = read_data(document);
  graph.nodes = read_nodes(document);
  graph.chaos = read_chaos(document);
  graph.actors = read_actors(document, file);
  check_structure(graph);
  return graph;
}

topology read_topology(const std::filesystem::path &file, const std::vector<std::string> &overrides) {
  node document = read_document(file);
  for (const auto &assignment : overrides) apply_override(document, assignment);
  return make_topology(document, file);
}

std::vector<topology> read_topologies(const std::vector<std::filesystem::path> &files,
                                      const std::vector<std::string> &overrides) {
  std::vector<node> documents;
  for (const auto &file : files) documents.push_back(read_document(file));
  for (const auto &assignment : overrides) {
    const auto path = override_path(assignment);
    const bool somewhere = std::any_of(documents.begin(), documents.end(),
                                       [&](const node &document) { return concerns(path, document); });
    if (!somewhere)
      throw input_error(fmt::format(
          "--set {0}.{1}: error: no file of this command has [{0}.{1}]; check the name", path[0], path[1]));
    for (auto &document : documents)
      if (concerns(path, document)) apply_override(document, assignment);
  }
  std::vector<topology> graphs;
  for (std::size_t i = 0; i < files.size(); ++i) graphs.push_back(make_topology(documents[i], files[i]));
  return graphs;
}

}  // namespace slipstream

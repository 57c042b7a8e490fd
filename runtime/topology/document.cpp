#include "runtime/topology/document.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <fstream>
#include <sstream>

#include "models/error.hpp"
#include "runtime/topology/nesting.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {

namespace {

constexpr int deepest = 64;                  // levels of nesting; the readers of the tree are recursive
constexpr std::uintmax_t largest = 1 << 20;  // bytes of a topology file

// A message is one line, whatever the input holds.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02X}", static_cast<unsigned>(byte));
    } else {
      line += c;
    }
  }
  return line;
}

source_position position_of(const toml::source_region &region, const std::string &file) {
  return {file, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

std::string below(const std::string &path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

constexpr std::string_view nested = "values are nested too deeply; a topology needs three levels";

// Before the parser sees it: it builds any depth, and its tables are taken down by recursion.
toml::table parse(std::string_view text, const std::string &file) {
  if (const auto deep = too_deep(text, deepest)) fail_at({file, deep->line, deep->column}, nested);
  return toml::parse(text, file);
}

node convert(const toml::node &from, const std::string &file, const std::string &path, int depth);

node::table convert_table(const toml::table &from, const std::string &file, const std::string &path,
                          int depth) {
  node::table entries;
  for (const auto &[key, value] : from)
    entries.push_back({std::string(key.str()), position_of(key.source(), file),
                       convert(value, file, below(path, key.str()), depth + 1)});
  // The parser sorts by name; people read a topology in the order they wrote it.
  std::stable_sort(entries.begin(), entries.end(), [](const node_entry &a, const node_entry &b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return entries;
}

node convert(const toml::node &from, const std::string &file, const std::string &path, int depth) {
  node result;
  result.at = position_of(from.source(), file);
  result.path = path;
  if (depth > deepest) fail_at(result.at, nested);
  if (const auto *table = from.as_table()) {
    result.value = convert_table(*table, file, path, depth);
  } else if (const auto *array = from.as_array()) {
    node::array items;
    for (const auto &item : *array) items.push_back(convert(item, file, "", depth + 1));
    result.value = std::move(items);
  } else if (const auto *text = from.as_string()) {
    result.value = text->get();
  } else if (const auto *integer = from.as_integer()) {
    result.value = integer->get();
  } else if (const auto *number = from.as_floating_point()) {
    result.value = number->get();
  } else if (const auto *flag = from.as_boolean()) {
    result.value = flag->get();
  } else {
    fail_at(result.at, "dates and times have no meaning in a topology; put the value in quotes");
  }
  return result;
}

// A value as TOML reads it, or as the bare word it is. What begins like a quoted or bracketed value must be
// one.
node override_value(std::string_view text, const std::string &source, const std::string &path) {
  const auto bare_word = [&] { return node{std::string(text), {source, 0, 0}, path}; };
  try {
    const auto whole = "value = " + std::string(text);
    if (too_deep(whole, deepest)) fail_at({source, 0, 0}, nested);
    const toml::table table = toml::parse(whole);
    const toml::node *value = table.get("value");
    if (table.size() != 1 || value == nullptr || value->is_date() || value->is_time() ||
        value->is_date_time())
      return bare_word();
    node result = convert(*value, source, path, 0);
    return result;
  } catch (const toml::parse_error &error) {
    if (!text.empty() && std::string_view("\"'[{").find(text.front()) != std::string_view::npos)
      fail_at({source, 0, 0}, fmt::format("{} is not a TOML value: {}", text, error.description()));
    return bare_word();
  }
}

// Values set on the command line have no line: one place names them all.
void place(node &value, const source_position &at) {
  value.at = at;
  if (auto *table = std::get_if<node::table>(&value.value))
    for (auto &entry : *table) {
      entry.at = at;
      place(entry.content, at);
    }
  if (auto *array = std::get_if<node::array>(&value.value))
    for (auto &item : *array) place(item, at);
}

node &child_of(node &parent, const std::string &key, const source_position &at) {
  auto *entries = std::get_if<node::table>(&parent.value);
  if (entries == nullptr)
    fail_at(at, fmt::format("{} is a value, not a table, at {}; it has no key \"{}\"", parent.path,
                            to_string(parent.at), key));
  const auto found = std::find_if(entries->begin(), entries->end(),
                                  [&](const node_entry &entry) { return entry.key == key; });
  if (found != entries->end()) return found->content;
  entries->push_back({key, at, node{{}, at, below(parent.path, key)}});
  return entries->back().content;
}

}  // namespace

std::string to_string(const source_position &at) {
  return at.line == 0 ? at.file : fmt::format("{}:{}:{}", at.file, at.line, at.column);
}

void fail_at(const source_position &at, std::string_view message) {
  std::string text(message);  // which may hold the message of another file's error
  constexpr std::string_view word = ": error: ";
  for (auto found = text.find(word); found != std::string::npos; found = text.find(word))
    text.replace(found, word.size(), ": ");
  throw input_error(one_line(fmt::format("{}: error: {}", to_string(at), text)));
}

const node *node::find(std::string_view key) const {
  const table *entries = as_table();
  if (entries == nullptr) return nullptr;
  const auto found = std::find_if(entries->begin(), entries->end(),
                                  [&](const node_entry &entry) { return entry.key == key; });
  return found == entries->end() ? nullptr : &found->content;
}

node parse_document(std::string_view text, const std::string &file) {
  try {
    return convert(parse(text, file), file, "", 0);
  } catch (const toml::parse_error &error) {
    fail_at(position_of(error.source(), file), error.description());
  }
}

node read_document(const std::filesystem::path &file) {
  const source_position whole{file.string(), 0, 0};
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status)) fail_at(whole, "there is no such file; check the path");
  if (!std::filesystem::is_regular_file(status)) fail_at(whole, "this is not a file; name a TOML file");
  if (std::filesystem::file_size(file, failed) > largest || failed)
    fail_at(whole, "a topology file is at most 1 MiB; name a TOML file");
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) fail_at(whole, "the file cannot be read; check its permissions");
  return parse_document(text.str(), whole.file);
}

std::vector<std::string> override_path(std::string_view assignment) {
  const auto usage = [&] {
    fail_at({fmt::format("--set {}", assignment), 0, 0},
            "write --set table.key=value, as in --set run.seed=2");
  };
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) usage();
  std::vector<std::string> keys(1);
  for (const char c : assignment.substr(0, equals)) {
    const bool bare =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (c == '.') {
      keys.emplace_back();
    } else if (bare) {
      keys.back() += c;
    } else {
      usage();
    }
  }
  if (keys.size() < 2 || keys.size() > deepest ||
      std::any_of(keys.begin(), keys.end(), [](const auto &key) { return key.empty(); }))
    usage();
  return keys;
}

void apply_override(node &root, std::string_view assignment) {
  const auto keys = override_path(assignment);
  const auto equals = assignment.find('=');
  const source_position at{fmt::format("--set {}", assignment.substr(0, equals)), 0, 0};
  node *target = &root;
  for (const auto &key : keys) target = &child_of(*target, name_in(*target, key), at);
  node value = override_value(assignment.substr(equals + 1), at.file, target->path);
  place(value, at);
  *target = std::move(value);
}

}  // namespace slipstream

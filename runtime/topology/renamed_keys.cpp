#include "runtime/topology/renamed_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace slipstream {
namespace {

// docs/renamed.md lists the rows; a test compares.
constexpr renamed_key keys[] = {
    {"schedule", "", "brakes", "guards"},
    {"schedule", "", "i_know", "allow_unbounded_staleness"},
    {"actors", "learner", "i_know", "allow_uncorrected"},
};
constexpr renamed_word word_rows[] = {
    {"brake", "guard"},
};

node_entry *entry_of(node &table, std::string_view key) {
  auto *entries = std::get_if<node::table>(&table.value);
  if (entries == nullptr) return nullptr;
  const auto found = std::find_if(entries->begin(), entries->end(),
                                  [&](const node_entry &entry) { return entry.key == key; });
  return found == entries->end() ? nullptr : &*found;
}

std::string kind_of_table(const node &table) {
  const auto *kind = table.find("kind");
  const auto *text = kind != nullptr ? kind->as_text() : nullptr;
  return text != nullptr ? *text : "";
}

/// Whether the table at `path`, of an actor of `kind` if it is an actor's, has the row's key.
bool concerns(const renamed_key &row, std::string_view path, std::string_view kind) {
  if (row.kind.empty()) return path == row.table;
  return kind == row.kind && path.starts_with(row.table) && path.size() > row.table.size() &&
         path[row.table.size()] == '.';
}

void rename_in(node &table, const renamed_key &row, std::vector<std::string> &notes) {
  auto *old_entry = entry_of(table, row.old_name);
  if (old_entry == nullptr) return;
  if (entry_of(table, row.name) != nullptr)
    fail_at(old_entry->at, fmt::format("[{0}] has {1} and {2}, which is the new name of {1}; remove {1}",
                                       table.path, row.old_name, row.name));
  const auto &at = old_entry->at;  // who tells the note names the file
  notes.push_back(fmt::format("{}: [{}] {} is called {} now; the old name is read until 1.0",
                              at.line == 0 ? at.file : fmt::format("line {}", at.line), table.path,
                              row.old_name, row.name));
  old_entry->key = row.name;
  old_entry->content.path = fmt::format("{}.{}", table.path, row.name);
}

/// Calls `line_of` with each line of a resolved topology and the row of its key, or null.
template <class Function>
void for_each_line(const std::string &resolved, Function line_of) {
  std::istringstream in(resolved);
  std::string table, kind;
  constexpr std::string_view kind_key = "kind = \"";
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('[')) table = line.substr(1, line.find(']') - 1), kind.clear();
    if (line.starts_with(kind_key)) kind = line.substr(kind_key.size(), line.rfind('"') - kind_key.size());
    const auto row = std::find_if(std::begin(keys), std::end(keys), [&](const renamed_key &each) {
      return concerns(each, table, kind) && line.starts_with(std::string(each.old_name) + " = ");
    });
    line_of(line, row == std::end(keys) ? nullptr : &*row);
  }
}

std::string with_word(const std::string &cause, std::string_view from, std::string_view to) {
  const bool begins = cause.starts_with(from) && (cause.size() == from.size() || cause[from.size()] == ':');
  return begins ? std::string(to) + cause.substr(from.size()) : cause;
}

}  // namespace

std::span<const renamed_key> renamed_keys() {
  return keys;
}

std::span<const renamed_word> renamed_words() {
  return word_rows;
}

std::vector<std::string> rename_keys(node &document) {
  std::vector<std::string> notes;
  for (const auto &row : keys) {
    auto *found = entry_of(document, row.table);
    if (found == nullptr) continue;
    if (row.kind.empty()) {
      rename_in(found->content, row, notes);
    } else if (auto *actors = std::get_if<node::table>(&found->content.value)) {
      for (auto &actor : *actors)
        if (kind_of_table(actor.content) == row.kind) rename_in(actor.content, row, notes);
    }
  }
  return notes;
}

std::string name_in(const node &table, const std::string &key) {
  const auto kind = kind_of_table(table);
  for (const auto &row : keys) {
    if (!concerns(row, table.path, kind)) continue;
    if (key == row.old_name && table.find(row.name) != nullptr) return std::string(row.name);
    if (key == row.name && table.find(row.old_name) != nullptr) return std::string(row.old_name);
  }
  return key;
}

std::string present_path(const std::string &path) {
  const auto dot = path.rfind('.');
  if (dot == std::string::npos) return path;
  const auto table = path.substr(0, dot), key = path.substr(dot + 1);
  for (const auto &row : keys)
    if (key == row.old_name && concerns(row, table, row.kind)) return table + "." + std::string(row.name);
  return path;
}

std::string with_present_keys(const std::string &resolved) {
  std::string text;
  for_each_line(resolved, [&](const std::string &line, const renamed_key *row) {
    text += row == nullptr ? line : std::string(row->name) + line.substr(row->old_name.size());
    text += '\n';
  });
  return text;
}

bool has_old_keys(const std::string &resolved) {
  bool found = false;
  for_each_line(resolved,
                [&](const std::string &, const renamed_key *row) { found = found || row != nullptr; });
  return found;
}

std::string present_cause(const std::string &cause) {
  auto text = cause;
  for (const auto &row : word_rows) text = with_word(text, row.old_name, row.name);
  return text;
}

std::string old_cause(const std::string &cause) {
  auto text = cause;
  for (const auto &row : word_rows) text = with_word(text, row.name, row.old_name);
  return text;
}

}  // namespace slipstream

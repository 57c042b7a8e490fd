#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/topology/document.hpp"

namespace slipstream {

/// A key of a topology that had another name in an earlier release. The old name is read until 1.0.
struct renamed_key {
  std::string_view table;  ///< "schedule"; or "actors", whose tables have the key if they are of `kind`
  std::string_view kind;   ///< of the actor; empty: the table is no actor's
  std::string_view old_name, name;
};
std::span<const renamed_key> renamed_keys();

/// A name in a run's files that was another one: a key of metrics.jsonl, and the word before the colon of a
/// cause in journals and summaries ("brake: kl 0.6 above 0.5").
struct renamed_word {
  std::string_view old_name, name;
};
std::span<const renamed_word> renamed_words();

/// Gives the keys of a document their present names, and answers with a note for each that had its old one.
/// Throws input_error where a table has both.
std::vector<std::string> rename_keys(node &document);

/// The name under which `table` has `key`, which may be an old name or a present one; `key` itself where the
/// table has neither.
std::string name_in(const node &table, const std::string &key);

/// "schedule.brakes" becomes "schedule.guards". Of an actor, whose kind is not known here, each old name of
/// any kind is replaced.
std::string present_path(const std::string &path);

/// The text of a run's topology.toml, as write_resolved() wrote it in an earlier release, with present names.
std::string with_present_keys(const std::string &resolved);
/// The run was begun by a release that had other names, and its files keep them.
bool has_old_keys(const std::string &resolved);

/// A cause of an earlier release's journal in present words, and a present one in the old words.
std::string present_cause(const std::string &cause);
std::string old_cause(const std::string &cause);

}  // namespace slipstream

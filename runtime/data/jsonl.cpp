#include "runtime/data/jsonl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "models/error.hpp"
#include "runtime/data/file_pieces.hpp"
#include "runtime/data/row_texts.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

constexpr std::size_t most_unread = 100;

/// Refuses a line with fields of another format, which would be left out silently.
void check_same_format(const row_reader &row, const data_format &format) {
  const auto *own = recognised_format(row);
  if (own != nullptr && own != &format)
    row.fail(
        fmt::format("the line holds {}, but the file holds {} (by its first line); keep them in two files",
                    own->holds == format.holds ? own->name : to_string(own->holds),
                    own->holds == format.holds ? format.name : to_string(format.holds)));
}

/// Reads files into one dataset.
class dataset_reader {
 public:
  explicit dataset_reader(const data_options &options) : options_(options) {
    if (!options.format.empty()) named_ = &find_data_format(options.format);
  }

  void read(const std::filesystem::path &file, std::function<bool(std::string &)> pieces) {
    const auto rows_before = data_.rows.size();
    data_.files.push_back(file);
    format_ = named_;
    row_texts rows(std::move(pieces), file.string());
    while (const auto text = rows.next()) {
      row_reader row(text->text, file, text->line, options_.fields, text->column);
      add(row, {data_.files.size() - 1, text->line, text->column});
    }
    if (data_.rows.size() == rows_before)
      throw input_error(
          fmt::format("{}: error: the file holds no rows; write one JSON object a line, as in "
                      "{{\"prompt\": \"…\"}}",
                      file.string()));
  }

  dataset finish() {
    check_names();
    data_.unread.assign(unread_.begin(), unread_.end());
    return std::move(data_);
  }

 private:
  void add(row_reader &row, const row_place &place) {
    if (format_ == nullptr) format_ = &recognise_format(row);
    if (data_.rows.empty()) data_.format = format_->holds;
    if (data_.format != format_->holds)
      row.fail(fmt::format("the file holds {}, but {} holds {}; name files that hold the same",
                           to_string(format_->holds), data_.files.front().string(), to_string(data_.format)));
    data_.rows.push_back(format_->read_row(row));
    if (named_ == nullptr) check_same_format(row, *format_);
    data_.rows.back().row = static_cast<std::int64_t>(data_.rows.size()) - 1;
    data_.places.push_back(place);
    note_fields(row);
  }

  /// Notes which of the topology's `fields` were found, and which fields of the file are not read.
  void note_fields(const row_reader &row) {
    const auto keys = row.keys();
    if (first_keys_.empty()) first_keys_ = keys;
    for (const auto &[ours, theirs] : options_.fields) {
      if (format_->has_field(ours)) meant_.insert(ours);
      if (row.has(ours)) found_.insert(ours);
    }
    for (const auto &key : keys)
      if (unread_.size() < most_unread && !is_read(key)) unread_.insert(key);
  }

  bool is_read(const std::string &key) const {
    bool renamed = false;
    for (const auto &[ours, theirs] : options_.fields) {
      if (theirs == key || theirs.starts_with(key + ".")) return true;
      renamed = renamed || ours == key;
    }
    return !renamed && format_->has_field(key);
  }

  /// Refuses a name in `fields` that no row has or that nobody reads: it was meant to say something.
  void check_names() const {
    for (const auto &[ours, theirs] : options_.fields) {
      if (meant_.count(ours) == 0)
        throw input_error(
            fmt::format("{}: error: fields names \"{}\" for {}, which the format \"{}\" does not "
                        "read; take it out of fields, or name the format that reads it",
                        data_.name(), theirs, ours, format_->name));
      if (found_.count(ours) == 0)
        throw input_error(
            fmt::format("{}: error: no row has the field \"{}\", which fields names for {}.{} The "
                        "first row has {}",
                        data_.name(), theirs, ours, did_you_mean(theirs, first_keys_), listed(first_keys_)));
    }
  }

  const data_options &options_;
  const data_format *named_ = nullptr, *format_ = nullptr;
  dataset data_;
  std::set<std::string> unread_, meant_, found_;
  std::vector<std::string> first_keys_;
};

}  // namespace

std::string dataset::place(std::int64_t row) const {
  const auto &at = places.at(static_cast<std::size_t>(row));
  const auto column = at.column == 0 ? std::string() : fmt::format(":{}", at.column);
  return fmt::format("{}:{}{}", files.at(at.file).string(), at.line, column);
}

std::string dataset::name() const {
  const auto first = files.empty() ? std::string() : files.front().string();
  if (files.size() < 2) return first;
  return fmt::format("{} and {} more file{}", first, files.size() - 1, files.size() == 2 ? "" : "s");
}

dataset parse_jsonl(std::string_view text, const std::filesystem::path &file, const data_options &options) {
  constexpr std::size_t piece = 1U << 20;
  dataset_reader reader(options);
  reader.read(file, [&](std::string &to) {
    const auto part = text.substr(0, piece);
    text.remove_prefix(part.size());
    to += part;
    return !part.empty();
  });
  return reader.finish();
}

dataset read_data_files(const std::vector<std::filesystem::path> &files, const data_options &options) {
  dataset_reader reader(options);
  for (const auto &file : files) {
    file_pieces pieces(file);
    reader.read(file, [&](std::string &to) { return pieces.next(to); });
  }
  return reader.finish();
}

dataset read_jsonl(const std::filesystem::path &file, const data_options &options) {
  return read_data_files({file}, options);
}

}  // namespace slipstream

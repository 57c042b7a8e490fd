#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>

#include "runtime/feedback/book.hpp"

namespace slipstream {

/// How judgements are written as JSON Lines: `own` is the whole book; the others are forms that data sets
/// have (docs/data.md), one line a verdict, which TRL and OpenRLHF read too.
enum class exchange_form { own, pairs, labels, scores, rankings };
exchange_form parse_exchange_form(std::string_view name);

/// What was written or read, and by reason what was left out.
struct exchanged {
  std::int64_t lines = 0;
  std::map<std::string, std::int64_t> left_out{};
};

/// Writes judgements that hold. Both bad is a tie of pairs, written with "tie": true only where `ties` says
/// so (others read no such field), and two bad answers of labels. Questions with known verdicts are no
/// training data.
exchanged export_judgements(const feedback_book &book, exchange_form form, bool ties, std::ostream &to);

/// Reads a whole book of the own form, or a data set of pairs, labels, scores or rankings, whose lines become
/// answered questions of an annotator of that name. What the book has already is left out. Throws input_error
/// naming file and line; nothing of a file with a fault is kept.
exchanged import_judgements(feedback_book &book, const std::filesystem::path &file,
                            const std::string &annotator, std::int64_t now_ns);

}  // namespace slipstream

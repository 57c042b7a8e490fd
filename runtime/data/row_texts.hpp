#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace slipstream {

/// A row as it stands in its file.
struct row_text {
  std::string_view text;   ///< valid until the next one is asked for
  std::size_t line = 0;    ///< where it begins, from 1
  std::size_t column = 0;  ///< of an array's element, from 1; 0: the row is a line
};

/// The rows of a data file, one after another: its lines that are not blank, or, where the first character is
/// "[", the elements of the one array that the file then is. It holds one row and one piece of the file at a
/// time.
class row_texts {
 public:
  /// `next_piece` appends the next piece of the file; false at its end. `name` is the file's, for messages.
  row_texts(std::function<bool(std::string &)> next_piece, std::string name);

  /// Throws input_error "FILE:LINE: error: …" for a broken array, or a row longer than 256 MiB.
  std::optional<row_text> next();

 private:
  enum class form { unknown, lines, array, ended };

  [[noreturn]] void fail(std::string_view message) const;
  bool more();
  bool skip_blanks();
  void take(std::size_t count);
  void find_form();
  void end_array();
  std::optional<row_text> next_line();
  std::optional<row_text> next_element();
  std::size_t element_length();

  std::function<bool(std::string &)> next_piece_;
  std::string name_;
  std::string buffer_;
  std::size_t at_ = 0;  ///< what stands before it in the buffer was taken
  std::size_t line_ = 1, column_ = 1;
  std::size_t rows_ = 0;
  form form_ = form::unknown;
};

}  // namespace slipstream

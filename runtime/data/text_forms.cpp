#include <algorithm>

#include "runtime/data/forms.hpp"

namespace slipstream {

example read_text(const row_reader &row) {
  example result;
  result.response = row.text("text");
  return result;
}

// The wording that Stanford's Alpaca was trained with.
example read_alpaca(const row_reader &row) {
  example result;
  const auto input = row.text_or_nothing("input");
  result.prompt = input.empty()
                      ? "Below is an instruction that describes a task. Write a response that appropriately "
                        "completes the request.\n\n### Instruction:\n" +
                            row.text("instruction") + "\n\n### Response:\n"
                      : "Below is an instruction that describes a task, paired with an input that provides "
                        "further context. Write a response that appropriately completes the request.\n\n### "
                        "Instruction:\n" +
                            row.text("instruction") + "\n\n### Input:\n" + input + "\n\n### Response:\n";
  result.response = row.text("output");
  return result;
}

// GSM8K: the working, then "#### 1,200"; a checker compares with the number.
example read_question(const row_reader &row) {
  constexpr std::string_view mark = "####", blank = " \t\r\n";
  example result;
  result.prompt = row.text("question");
  result.response = row.text("answer");
  result.answer = result.response;
  if (const auto at = result.response.rfind(mark); at != std::string::npos) {
    result.answer = result.response.substr(at + mark.size());
    std::erase(result.answer, ',');
  }
  result.answer.erase(0, std::min(result.answer.find_first_not_of(blank), result.answer.size()));
  result.answer.erase(result.answer.find_last_not_of(blank) + 1);
  return result;
}

}  // namespace slipstream

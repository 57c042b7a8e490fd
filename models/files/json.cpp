#include "models/files/json.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <vector>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr int deepest = 64;

std::string place(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1);
  return std::to_string(line) + ":" + std::to_string(std::max<std::size_t>(column, 1));
}

// Refuses what the library would let pass: a name given twice (the last would win) and bottomless nesting.
class strictness {
 public:
  explicit strictness(const std::string &where) : where_(&where) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json &parsed) {
    using event_t = nlohmann::json::parse_event_t;
    if (depth > deepest)
      throw input_error(*where_ + ": error: nested deeper than " + std::to_string(deepest) + " levels");
    if (event == event_t::object_start) names_.emplace_back();
    if (event == event_t::object_end) names_.pop_back();
    if (event == event_t::key && !names_.back().insert(parsed.get<std::string>()).second)
      throw input_error(*where_ + ": error: \"" + parsed.get<std::string>() + "\" is given twice");
    return true;
  }

 private:
  const std::string *where_;
  std::vector<std::set<std::string>> names_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string &where) {
  auto check = std::make_shared<strictness>(where);
  const auto callback = [check](int depth, nlohmann::json::parse_event_t event, nlohmann::json &parsed) {
    return (*check)(depth, event, parsed);
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), callback);
  } catch (const nlohmann::json::parse_error &e) {
    throw input_error(where + ":" + place(text, e.byte) + ": error: not valid JSON");
  } catch (const nlohmann::json::out_of_range &e) {  // "… number overflow parsing '1e999'"
    const std::string_view words = e.what();
    const auto begin = words.find('\'') + 1, end = words.rfind('\'');
    const auto number = begin == 0 || end < begin ? std::string_view() : words.substr(begin, end - begin);
    const auto at = number.empty() ? 0 : std::min(text.find(number), text.size() - 1);
    throw input_error(where + ":" + place(text, at + 1) + ": error: the number " + std::string(number) +
                      " is out of range; write one that a double holds (up to 1.7e308)");
  }
}

std::string read_text(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  if (in && !std::filesystem::is_directory(file)) text.assign(std::istreambuf_iterator<char>(in), {});
  if (!in || std::filesystem::is_directory(file))
    throw input_error(file.string() + ": error: cannot be read; is the path right?");
  return text;
}

nlohmann::json read_json(const std::filesystem::path &file) {
  return parse_json(read_text(file), file.string());
}

}  // namespace slipstream

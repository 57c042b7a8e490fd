#include "models/tokenizers/sentence_steps.hpp"

#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;
using change = sentence_steps::change;

// The string member `name`; throws when it is none.
std::string text_of(const json &content, const char *name, const std::string &field,
                    const std::string &file) {
  const json &value = member(content, name);
  if (!value.is_string()) refuse_field(file, field + "." + name, "must be a text, not " + shown(value));
  return value.get<std::string>();
}

change read_replace(const json &content, const std::string &field, const std::string &file) {
  const json &pattern = member(member(content, "pattern"), "String");
  if (!pattern.is_string() || pattern == "")
    refuse_field(file, field + ".pattern", "only {\"String\": TEXT} is supported");
  return {change::kind::replace, pattern.get<std::string>(), text_of(content, "content", field, file)};
}

// Calls `each` with every part of a Sequence, or with the one that there is; null is none.
template <class Each>
void parts_of(const json &content, const char *list, const std::string &field, const std::string &file,
              Each each) {
  if (content.is_null()) return;
  if (type_of(content, field, file) != "Sequence") return each(content, field);
  const json &parts = array_of(content, list, field, file);
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts_of(parts[i], list, field + "." + list + "[" + std::to_string(i) + "]", file, each);
}

void read_sentence_normalizer(const json &part, const std::string &field, const std::string &file,
                              sentence_steps &steps) {
  const std::string type = type_of(part, field, file);
  constexpr std::pair<const char *, normal_form> forms[] = {{"NFC", normal_form::nfc},
                                                            {"NFD", normal_form::nfd},
                                                            {"NFKC", normal_form::nfkc},
                                                            {"NFKD", normal_form::nfkd}};
  for (const auto &[name, form] : forms)
    if (type == name) return steps.changes.push_back({change::kind::form, "", "", form});
  if (type == "Prepend")
    return steps.changes.push_back({change::kind::prepend, "", text_of(part, "prepend", field, file)});
  if (type == "Replace") return steps.changes.push_back(read_replace(part, field, file));
  refuse_field(file, field + ".type",
               shown(type) +
                   " is not supported beside byte_fallback; supported are: Prepend, Replace, NFC, "
                   "NFD, NFKC, NFKD, Sequence");
}

sentence_steps::prefix prefix_of(const json &part, const std::string &field, const std::string &file) {
  const json &scheme = member(part, "prepend_scheme");
  if (scheme.is_null())  // before tokenizers 0.15
    return flag_of(part, "add_prefix_space", true, field, file) ? sentence_steps::prefix::always
                                                                : sentence_steps::prefix::never;
  if (scheme == "always") return sentence_steps::prefix::always;
  if (scheme == "first") return sentence_steps::prefix::first;
  if (scheme == "never") return sentence_steps::prefix::never;
  refuse_field(file, field + ".prepend_scheme", shown(scheme) + " is none of always, first, never");
}

void read_pre_tokenizer(const json &part, const std::string &field, const std::string &file,
                        sentence_steps &steps) {
  const std::string type = type_of(part, field, file);
  const json &pattern = member(member(part, "pattern"), "String");
  if (steps.mark.empty() && !steps.behind_spaces && type == "Metaspace") {
    steps.mark = text_of(part, "replacement", field, file);
    steps.prepend = prefix_of(part, field, file);
    steps.at_marks = flag_of(part, "split", true, field, file);
    if (!steps.mark.empty()) return;
  } else if (steps.mark.empty() && !steps.behind_spaces && type == "Split" && pattern == " " &&
             member(part, "behavior") == "MergedWithPrevious" &&
             !flag_of(part, "invert", false, field, file)) {
    steps.behind_spaces = true;
    return;
  }
  refuse_field(file, field,
               "only one Metaspace, or a Split behind spaces, is supported beside byte_fallback");
}

void read_decoder(const json &part, const std::string &field, const std::string &file,
                  sentence_steps &steps) {
  const std::string type = type_of(part, field, file);
  steps.decodes_bytes = steps.decodes_bytes || type == "ByteFallback";
  if (type == "ByteFallback" || type == "Fuse") return;
  if (type == "Replace") return steps.decoding.push_back(read_replace(part, field, file));
  if (type == "Metaspace") {
    steps.drops_first_marks = prefix_of(part, field, file) != sentence_steps::prefix::never;
    return steps.decoding.push_back({change::kind::replace, text_of(part, "replacement", field, file), " "});
  }
  const json &start = member(part, "start"), &stop = member(part, "stop");
  if (type == "Strip" && member(part, "content") == " " && start.is_number_unsigned() && start <= 16 &&
      stop == 0) {
    steps.strip = start.get<std::int64_t>();
    return;
  }
  refuse_field(
      file, field,
      "is not supported beside byte_fallback; supported are: Replace, ByteFallback, Fuse, Metaspace, and "
      "Strip of spaces at the start");
}

}  // namespace

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (auto at = text.find(from); at != text.npos; at = text.find(from)) {
    result += text.substr(0, at);
    result += to;
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

std::string sentence_steps::normal(std::string_view text) const {
  std::string result(text);
  for (const auto &[what, from, to, form] : changes) {
    if (what == change::kind::prepend && !result.empty()) result.insert(0, to);
    if (what == change::kind::replace) result = replaced(result, from, to);
    if (what == change::kind::form) result = normalised(result, form);
  }
  return result;
}

std::vector<std::string> sentence_steps::words(std::string_view part, bool at_start) const {
  std::string text = mark.empty() ? std::string(part) : replaced(part, " ", mark);
  const bool wanted = prepend == prefix::always || (prepend == prefix::first && at_start);
  if (wanted && !text.starts_with(mark)) text.insert(0, mark);
  std::vector<std::string> result;
  const std::string_view cut = at_marks ? std::string_view(mark) : behind_spaces ? " " : "";
  std::size_t begin = 0;
  for (auto at = cut.empty() ? text.npos : text.find(cut); at != text.npos;
       at = text.find(cut, at + cut.size())) {
    const auto end = at_marks ? at : at + cut.size();
    if (end > begin) result.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  if (begin < text.size()) result.push_back(text.substr(begin));
  return result;
}

sentence_steps read_sentence_steps(const json &content, const std::string &file) {
  sentence_steps steps;
  const auto with = [&](auto read) {
    return [&, read](const json &part, const std::string &field) { read(part, field, file, steps); };
  };
  parts_of(member(content, "normalizer"), "normalizers", "normalizer", file, with(read_sentence_normalizer));
  parts_of(member(content, "pre_tokenizer"), "pretokenizers", "pre_tokenizer", file,
           with(read_pre_tokenizer));
  parts_of(member(content, "decoder"), "decoders", "decoder", file, with(read_decoder));
  return steps;
}

}  // namespace slipstream

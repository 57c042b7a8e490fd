#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "models/error.hpp"
#include "runtime/scoring/text_rules.hpp"

namespace slipstream {
namespace {

constexpr std::uint32_t most_steps = 1'000'000;  // of one match: what backtracks for longer is no match

std::shared_ptr<const void> compiled(const std::string &pattern) {
  int problem = 0;
  PCRE2_SIZE place = 0;
  pcre2_code *code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &problem, &place, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 160> reason{};
    pcre2_get_error_message(problem, reason.data(), reason.size());
    throw input_error("the pattern \"" + pattern.substr(0, 80) +
                      "\" is no regular expression: at character " + std::to_string(place + 1) + ", " +
                      reinterpret_cast<const char *>(reason.data()));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // an option: matching works without
  return {code,
          [](const void *done) { pcre2_code_free(static_cast<pcre2_code *>(const_cast<void *>(done))); }};
}

bool matches(const void *code, std::string_view text) {
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
      pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  pcre2_set_match_limit(limits.get(), most_steps);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  const int result =
      pcre2_match(static_cast<const pcre2_code *>(code), reinterpret_cast<PCRE2_SPTR>(text.data()),
                  text.size(), 0, 0, found.get(), limits.get());
  return result >= 0;  // 0: more groups than there is room for
}

}  // namespace

format_rule::format_rule(const std::vector<std::string> &patterns, std::vector<double> scores)
    : scores_(std::move(scores)) {
  for (const auto &pattern : patterns) patterns_.push_back(compiled(pattern));
  scores_.resize(patterns_.size(), 1);
}

double format_rule::operator()(std::string_view answer) const {
  double sum = 0;
  for (std::size_t i = 0; i < patterns_.size(); ++i)
    if (matches(patterns_[i].get(), answer)) sum += scores_[i];
  return sum;
}

}  // namespace slipstream

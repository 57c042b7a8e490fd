#include "runtime/scoring/text_scores.hpp"

#include "tests/support/test.hpp"

using namespace slipstream;

TEST_CASE("an exact match is all or nothing") {
  CHECK(exact_match("1234", "1234") == 1.0);
  CHECK(exact_match("1234 ", "1234") == 0.0);
  CHECK(exact_match("", "") == 1.0);
  CHECK(exact_match("", "1") == 0.0);
}

TEST_CASE("edit similarity is one minus the edit distance over the longer length") {
  CHECK(edit_similarity("", "") == 1.0);
  CHECK(edit_similarity("", "abcd") == 0.0);
  CHECK(edit_similarity("abcd", "") == 0.0);
  CHECK(edit_similarity("abcd", "abcd") == 1.0);
  CHECK(edit_similarity("kitten", "sitting") == 1.0 - 3.0 / 7.0);
  CHECK(edit_similarity("abc", "bc") == 1.0 - 1.0 / 3.0);
  CHECK(edit_similarity("ab", "ba") == 0.0);  // two edits: a swap is no edit of its own
  CHECK(edit_similarity("flaw", "lawn") == edit_similarity("lawn", "flaw"));
}

TEST_CASE("a rule is found by its name") {
  CHECK(find_text_score("exact_match") == &exact_match);
  CHECK(find_text_score("edit_similarity") == &edit_similarity);
  CHECK(find_text_score("exact") == nullptr);
}

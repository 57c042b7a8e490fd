#include "models/error.hpp"
#include "models/templates/template.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::ordered_json;
using test::Contains;

namespace {

std::string render(const std::string &text, const ordered_json &inputs = ordered_json::object(),
                   const template_limits &limits = {}) {
  return jinja_template::parse(text, "chat.jinja").render(inputs, "2026-11-30 14:05:09", limits).text;
}

std::string repeated(const std::string &part, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += part;
  return all;
}

template_limits small() {
  template_limits limits;
  limits.steps = 100'000;
  limits.output = limits.memory = 1'000'000;
  return limits;
}

}  // namespace

TEST_CASE("an error of a template names its file, line and column", "[template]") {
  CHECK_THROWS_WITH(render("a\n  {% frob x %}"), Contains("chat.jinja:2:6: error: the statement \"frob\""));
  CHECK_THROWS_WITH(render("{{ a | nosuch }}"), Contains("chat.jinja:1:8: error: the filter \"nosuch\""));
  for (const std::string name : {"pprint", "random", "striptags", "urlize"})  // jinja2 has these
    CHECK_THROWS_WITH(render("{{ a | " + name + " }}"),
                      Contains("chat.jinja:1:8: error: the filter \"" + name + "\" is not supported"));
  CHECK_THROWS_WITH(render("{{ 'a-b'|wordwrap(2) }}"), Contains("break_on_hyphens=false"));
  CHECK_THROWS_WITH(render("{{ a is nosuch }}"), Contains("the test \"nosuch\" is not supported"));
  CHECK_THROWS_WITH(render("{{ lipsum() }}"), Contains("chat.jinja:1:4: error: \"lipsum\" is not supported"));
  CHECK_THROWS_WITH(render("\n{{ x.y }}"), Contains("chat.jinja:2:5: error: there is no variable \"x\""));
  CHECK_THROWS_WITH(render("{{ raise_exception('not so') }}"), Contains("the template refuses this: not so"));
  CHECK_THROWS_WITH(render("{% if a %}"), Contains("not closed"));
  CHECK_THROWS_WITH(render("\xff"), Contains("chat.jinja: error: the text is not valid UTF-8 at byte 0"));
  CHECK_THROWS_AS(render("{{ 9223372036854775807 + 1 }}"), input_error);
  CHECK_THROWS_WITH(render("{{ x }}", {{"x", 18446744073709551615U}}), Contains("beyond 64 bits"));
}

TEST_CASE("a template that does too much is stopped", "[template]") {
  const std::vector<std::string> hungry{
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% "
      "endfor %}",
      "{{ 'x' * 1000000000000 }}",
      "{{ ('x' * 1000) * 100000 }}",
      "{{ [1] * 9223372036854775807 }}",
      "{% set ns = namespace(a='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.a = ns.a ~ ns.a %}{% endfor "
      "%}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ "
      "ns.a }}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ "
      "ns.a == ns.a + [] "
      "}}{{ ns.a|tojson }}",
      "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
      "{{ ('a' * 100000)|replace('a', 'b' * 10000) }}",
      "{{ ('b' * 10000).join('a' * 10000) }}",
      "{{ 'a'|center(100000000000) }}",
      "{{ ('&' * 300000)|e }}",
      "{{ ('&' * 500000)|urlencode }}",
      "{{ ('a ' * 100000)|wordwrap(1, wrapstring='b' * 10000) }}",
      "{{ [1]|tojson(indent=100000000000) }}",
      "{{ '%1000000000d' % 1 }}"};
  for (const std::string &text : hungry) {
    INFO(text);
    CHECK_THROWS_AS(render(text, ordered_json::object(), small()), input_error);
  }
}

TEST_CASE("what is nested too deeply is refused by the parser", "[template]") {
  constexpr std::size_t deep = 100'000;
  for (const auto &[part, end] : std::vector<std::pair<std::string, std::string>>{{"(", ""},
                                                                                  {"[", ""},
                                                                                  {"{1:", ""},
                                                                                  {"not ", "1"},
                                                                                  {"-", "1"},
                                                                                  {"a if b else ", "c"},
                                                                                  {"f(", ""},
                                                                                  {"a[", ""},
                                                                                  {"1+", "1"},
                                                                                  {"1*", "1"},
                                                                                  {"1**", "1"},
                                                                                  {"a.", "b"},
                                                                                  {"a|d|", "d"},
                                                                                  {"1 if 1 ", "1"}})
    CHECK_THROWS_AS(render("{{ " + repeated(part, deep) + end + " }}"), input_error);
  CHECK_THROWS_AS(render("{{ a" + repeated(".b", deep) + " }}"), input_error);
  CHECK_THROWS_AS(render("{{ a" + repeated("|d", deep) + " }}"), input_error);
  CHECK_THROWS_AS(render(repeated("{% if a %}", deep)), input_error);
  CHECK_THROWS_AS(render(repeated("{% for a in b %}", deep)), input_error);
  CHECK_THROWS_AS(render("{% set " + repeated("(", deep)), input_error);
  CHECK(render("{{ 1" + repeated(" ~ 1", 1000) + " }}") == repeated("1", 1001));
}

TEST_CASE("spans are what generation made", "[template]") {
  const auto made = jinja_template::parse(
      "\xc3\xa9{% for m in ms %}<{% generation %}{{ m }}{% endgeneration %}>{% endfor %}", "t");
  CHECK(made.marks_generation());
  const rendered_template rendered = made.render({{"ms", {"a", "\xc3\xbc"}}});
  REQUIRE(rendered.generated.size() == 2);
  CHECK(rendered.text == "\xc3\xa9<a><\xc3\xbc>");
  CHECK(rendered.generated[1].from == 6);
  CHECK(rendered.generated[1].to == 8);
  CHECK(rendered.spans_known);
  const auto inside =
      jinja_template::parse("{% set x %}{% generation %}a{% endgeneration %}{% endset %}{{ x }}", "t");
  CHECK_FALSE(inside.render(ordered_json::object()).spans_known);
}

TEST_CASE("a date is given or refused", "[template]") {
  const auto dated = jinja_template::parse("{{ strftime_now('%d %b %Y, %A') }}", "t");
  CHECK(dated.asks_date());
  CHECK(dated.render(ordered_json::object(), "2024-02-29 00:00:00").text == "29 Feb 2024, Thursday");
  CHECK_THROWS_WITH(dated.render(ordered_json::object()), Contains("asks for the date"));
  CHECK_THROWS_AS(dated.render(ordered_json::object(), "2025-02-29 00:00:00"), input_error);
}

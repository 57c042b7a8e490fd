#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/templates/template.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::ordered_json;

namespace {

// What jinja2 rendered, by tests/models/template_reference.py.
const ordered_json &reference() {
  static const ordered_json content =
      ordered_json::parse(read_text(test::data("templates") / "rendered.json"));
  return content;
}

// The text, or nothing when it is refused.
ordered_json rendered(const std::string &text, const std::string &where, const ordered_json &inputs) {
  try {
    return jinja_template::parse(text, where)
        .render(inputs, reference().at("moment").get<std::string>())
        .text;
  } catch (const input_error &) {
    return nullptr;
  }
}

// "FAMILY/DIALOGUE/whole" or ".../prompt".
ordered_json inputs_of(const std::string &dialogue, bool prompt) {
  ordered_json inputs = reference().at("tokens");
  inputs["messages"] = reference().at("dialogues").at(dialogue);
  inputs["tools"] = nullptr;
  inputs["documents"] = nullptr;
  inputs["add_generation_prompt"] = prompt;
  if (reference().at("extras").contains(dialogue)) inputs.update(reference().at("extras").at(dialogue));
  return inputs;
}

}  // namespace

TEST_CASE("templates in the manner of many families render as jinja2 renders them", "[template]") {
  std::size_t count = 0;
  for (const auto &[name, expected] : reference().at("families").items()) {
    const auto first = name.find('/'), second = name.rfind('/');
    const std::string file = name.substr(0, first) + ".jinja";
    const std::string text = read_text(test::data("templates") / file);
    const ordered_json inputs =
        inputs_of(name.substr(first + 1, second - first - 1), name.ends_with("/prompt"));
    INFO(name);
    CHECK(rendered(text, file, inputs) == expected);
    ++count;
  }
  CHECK(count > 600);
}

TEST_CASE("small templates render as jinja2 renders them, or are refused where it raises", "[template]") {
  std::size_t count = 0;
  for (const auto &each : reference().at("snippets")) {
    const std::string text = each.at(0).get<std::string>();
    INFO(text);
    CHECK(rendered(text, "t", reference().at("variables")) == each.at(1));
    ++count;
  }
  CHECK(count > 500);
}

// Renders chat templates for tests/models/template_reference.py: a JSON line {"template", "inputs", "moment"}
// in, a line
// {"text", "spans", "known"} or {"error"} out.
#include <iostream>
#include <string>

#include "models/error.hpp"
#include "models/templates/template.hpp"

int main() {
  using nlohmann::ordered_json;
  for (std::string line; std::getline(std::cin, line);) {
    ordered_json answer;
    try {
      const ordered_json asked = ordered_json::parse(line);
      const auto parsed =
          slipstream::jinja_template::parse(asked.at("template").get_ref<const std::string &>(), "t");
      const auto made = parsed.render(asked.at("inputs"), asked.value("moment", "2026-01-01 12:34:56"));
      answer["text"] = made.text;
      answer["spans"] = ordered_json::array();
      for (const auto &span : made.generated) answer["spans"].push_back({span.from, span.to});
      answer["known"] = made.spans_known;
    } catch (const slipstream::input_error &wrong) {
      answer["error"] = wrong.what();
    }
    std::cout << answer.dump() << std::endl;
  }
}

#include "models/templates/template.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "models/templates/parser.hpp"
#include "models/templates/renderer.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream {

jinja_template jinja_template::parse(std::string_view text, const std::string &where) {
  try {
    require_utf8(text);
  } catch (const input_error &wrong) {
    throw input_error(where + ": error: " + wrong.what());
  }
  constexpr std::size_t largest = 256UL << 10U;
  if (text.size() > largest) throw input_error(where + ": error: the template is larger than 256 KiB");
  jinja_template made;
  made.program_ =
      std::make_shared<const jinja::program>(jinja::parser(jinja::read_tokens(text, where), where).read());
  return made;
}

rendered_template jinja_template::render(const nlohmann::ordered_json &inputs, std::string_view moment,
                                         const template_limits &limits) const {
  return jinja::renderer(*program_, moment, limits).render(inputs);
}

bool jinja_template::marks_generation() const {
  return program_->marks_generation;
}

bool jinja_template::asks_date() const {
  return program_->asks_date;
}

bool jinja_template::reads(std::string_view name) const {
  return program_->words.contains(std::string(name));
}

const std::string &jinja_template::where() const {
  return program_->where;
}

}  // namespace slipstream

#include "models/templates/renderer.hpp"

#include <limits>

#include "models/templates/lexer.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"

namespace slipstream::jinja {

renderer::renderer(const program &what, std::string_view moment, const template_limits &limits)
    : program_(what), moment_(moment), spending_(limits) {}

rendered_template renderer::render(const nlohmann::ordered_json &inputs) {
  try {
    for (const std::string &each : program_.symbols) names_.push_back(value::constant(each));
    inputs_.resize(program_.symbols.size());
    for (std::size_t i = 0; i < program_.symbols.size(); ++i)
      if (const auto found = inputs.find(program_.symbols[i]); found != inputs.end())
        inputs_[i] = from_json(*found);
    scope_ = open_scope(nullptr, program_.hidden);
    run(program_.body);
  } catch (const complaint &wrong) {
    refuse(program_.where, at_, wrong.what());
  }
  return std::move(made_);
}

value renderer::from_json(const nlohmann::ordered_json &given) {
  using type = nlohmann::ordered_json::value_t;
  const deeper guard(*this);
  switch (given.type()) {
    case type::null:
      return value::none();
    case type::boolean:
      return value(given.get<bool>());
    case type::number_integer:
      return value(given.get<std::int64_t>());
    case type::number_float:
      return value(given.get<double>());
    case type::string:
      return spending_.text(given.get_ref<const std::string &>());
    case type::number_unsigned: {
      const auto number = given.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw complaint("the number " + std::to_string(number) +
                        " of the inputs is beyond 64 bits, which is not supported");
      return value(static_cast<std::int64_t>(number));
    }
    case type::array: {
      std::vector<value> items;
      items.reserve(given.size());
      for (const auto &each : given) items.push_back(from_json(each));
      return spending_.sequence(std::move(items));
    }
    case type::object: {
      std::vector<std::pair<value, value>> entries;
      entries.reserve(given.size());
      for (const auto &[key, content] : given.items())
        entries.emplace_back(spending_.text(key), from_json(content));
      return spending_.map(std::move(entries));
    }
    default:
      throw complaint("the inputs hold binary data");
  }
}

void renderer::put(std::string_view text) {
  if (waiting_ + made_.text.size() + text.size() > spending_.limits().output)
    throw complaint("the template writes more than " + std::to_string(spending_.limits().output) + " bytes");
  made_.text += text;
}

void renderer::put(const value &what) {
  if (what.is_text() || what.is(kind::safe_text)) return put(what.text());
  print(made_.text, what, spending_);
  put(std::string_view());
}

scope *renderer::open_scope(scope *outer, const std::vector<int> &hidden) {
  scope *made = nullptr;
  if (free_scopes_.empty()) {
    made = &scopes_.emplace_back();
  } else {
    made = free_scopes_.back();
    free_scopes_.pop_back();
  }
  made->outer = outer;
  for (const int symbol : hidden)
    made->set(symbol,
              value::undefined("this variable is not set yet: ", names_[static_cast<std::size_t>(symbol)]));
  return made;
}

void renderer::close_scope(scope *done) {
  if (done->kept) {
    kept_ += sizeof(scope) + done->names.size() * sizeof(done->names.front());
    return spending_.room(kept_);
  }
  done->names.clear();
  free_scopes_.push_back(done);
}

void renderer::keep_scopes() {
  for (scope *each = scope_; each && !each->kept; each = each->outer) each->kept = true;
}

value renderer::look_up(const expression &name) {
  for (scope *each = scope_; each; each = each->outer) {
    spending_.spend(each->names.size() / 8);
    if (const value *found = each->find(name.symbol); found && !found->is(kind::absent)) return *found;
  }
  const value &given = inputs_[static_cast<std::size_t>(name.symbol)];
  return given.is(kind::absent) ? global(name) : given;
}

value renderer::global(const expression &name) const {
  const std::string &text = program_.symbols[static_cast<std::size_t>(name.symbol)];
  if (text == "namespace") return value(function::name_space);
  if (text == "range") return value(function::range);
  if (text == "dict") return value(function::dict);
  if (text == "raise_exception") return value(function::raise_exception);
  if (text == "strftime_now") return value(function::strftime_now);
  for (const char *known : {"lipsum", "cycler", "joiner", "self"})
    if (text == known) throw complaint("\"" + text + "\" is not supported");
  return value::undefined("there is no variable ", name.constant);
}

void renderer::assign(const expression &target, const value &what) {
  spending_.spend(scope_->names.size() / 8);
  if (target.what == op::name) return scope_->set(target.symbol, what);
  at_ = target.at;
  if (target.what == op::attribute) {
    const value space = look_up(target.parts.front());
    if (!space.is(kind::name_space)) throw complaint("an attribute can be set of a namespace only");
    const std::string_view name = target.constant.text();
    spending_.spend(space.name_space().names.size() / 8);
    if (value *known = space.name_space().find(name))
      *known = what;
    else
      space.name_space().names.emplace_back(name, what);
    return;
  }
  const std::vector<value> items = items_of(what, spending_);
  if (items.size() != target.parts.size())
    throw complaint(std::to_string(items.size()) + " values are set to " +
                    std::to_string(target.parts.size()) + " names");
  for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
}

}  // namespace slipstream::jinja

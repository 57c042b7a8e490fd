#include "models/files/cbor.hpp"

#include <string>

#include "models/error.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr int deepest_cbor = 64;

// Looks at the nesting and keeps nothing.
class depth_check : public json::json_sax_t {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(json::number_integer_t) override { return true; }
  bool number_unsigned(json::number_unsigned_t) override { return true; }
  bool number_float(json::number_float_t, const json::string_t &) override { return true; }
  bool string(json::string_t &) override { return true; }
  bool binary(json::binary_t &) override { return true; }
  bool start_object(std::size_t) override { return ++depth_ <= deepest_cbor; }
  bool key(json::string_t &) override { return true; }
  bool end_object() override { return depth_-- > 0; }
  bool start_array(std::size_t) override { return ++depth_ <= deepest_cbor; }
  bool end_array() override { return depth_-- > 0; }
  bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override {
    return false;
  }

 private:
  int depth_ = 0;
};

}  // namespace

json read_cbor(std::string_view bytes) {
  depth_check check;
  try {
    if (json::sax_parse(bytes.begin(), bytes.end(), &check, json::input_format_t::cbor))
      return json::from_cbor(bytes.begin(), bytes.end());
  } catch (const json::exception &) {  // a list that claims to be longer than any
  }
  throw run_error("a state that cannot be read");
}

}  // namespace slipstream

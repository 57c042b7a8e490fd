#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slipstream::jinja {

class value;

/// What a value is, in Python's terms.
enum class kind : std::uint8_t {
  absent,  ///< no value at all: an argument that was not given
  undefined,
  none,
  boolean,
  integer,
  real,
  text,
  safe_text,  ///< what the filter safe gives: it can be printed, nothing else
  list,
  tuple,
  map,
  view,       ///< keys(), values() or items() of a map
  generator,  ///< what map, select and others give: it can be gone through once
  range,
  name_space,
  loop,
  macro,
  function,
  method
};

/// Bytes that live values hold.
struct memory_account {
  std::size_t live = 0;
};

/// What values of one kind share; its bytes are given back to the account at its end.
struct object {
  object() = default;
  object(const object &) = delete;
  object &operator=(const object &) = delete;
  ~object() {
    if (account) account->live -= bytes;
  }
  memory_account *account = nullptr;
  std::size_t bytes = 0;
};

struct text_object : object {
  std::string text;
};

struct sequence_object : object {
  std::vector<value> items;
  const char *name = "";           ///< of a view: dict_keys, dict_values, dict_items
  mutable std::size_t cursor = 0;  ///< of a generator
  unsigned depth = 1;
};

struct map_object : object {
  std::vector<std::pair<value, value>> entries;
  std::unordered_multimap<std::size_t, std::size_t> index;  ///< by hash, of large ones
  unsigned depth = 1;
};

struct range_object : object {
  std::int64_t start = 0, stop = 0, step = 1;
  std::int64_t size() const {
    if (step > 0 ? start >= stop : start <= stop) return 0;
    return step > 0 ? (stop - start - 1) / step + 1 : (start - stop - 1) / -step + 1;
  }
};

struct method_object;
struct namespace_object;
struct macro_object;
struct loop_object;
enum class function : std::uint8_t {
  range,
  dict,
  name_space,
  raise_exception,
  strftime_now,
  loop_cycle,
  loop_changed
};

/// One value of a template's: what a message holds, and what expressions make. Copies share what they hold,
/// and nothing but a namespace can be changed.
class value {
 public:
  value() = default;
  value(bool flag) : what_(kind::boolean) { integer_ = flag; }
  value(std::int64_t number) : what_(kind::integer) { integer_ = number; }
  value(double number) : what_(kind::real) { real_ = number; }
  value(kind what, std::shared_ptr<const object> shared) : shared_(std::move(shared)), what_(what) {}
  value(kind what, void *pointer) : what_(what) { pointer_ = pointer; }
  value(function which, std::shared_ptr<const object> of = nullptr)
      : shared_(std::move(of)), what_(kind::function), function_(which) {}

  static value none() { return value(kind::none, nullptr); }
  /// Text without an account: of a template's own.
  static value constant(std::string text) {
    auto made = std::make_shared<text_object>();
    made->text = std::move(text);
    return value(kind::text, std::move(made));
  }
  /// `hint` ends in the name when there is one.
  static value undefined(const char *hint) { return undefined(hint, value()); }
  static value undefined(const char *hint, const value &name) {
    value made(kind::undefined, name.shared_);
    made.hint_ = hint;
    return made;
  }

  kind what() const { return what_; }
  bool is(kind which) const { return what_ == which; }
  bool is_text() const { return what_ == kind::text; }
  bool is_number() const { return what_ == kind::integer || what_ == kind::boolean || what_ == kind::real; }
  bool is_whole() const { return what_ == kind::integer || what_ == kind::boolean; }
  bool is_undefined() const { return what_ == kind::undefined; }

  std::int64_t integer() const { return integer_; }  ///< of an integer or a flag
  double real() const { return real_; }
  double as_real() const { return what_ == kind::real ? real_ : static_cast<double>(integer_); }
  std::string_view text() const { return as<text_object>().text; }
  const std::vector<value> &items() const { return as<sequence_object>().items; }
  const sequence_object &sequence() const { return as<sequence_object>(); }
  const map_object &map() const { return as<map_object>(); }
  const range_object &range() const { return as<range_object>(); }
  const method_object &method() const;
  namespace_object &name_space() const { return *static_cast<namespace_object *>(pointer_); }
  const macro_object &macro() const { return *static_cast<macro_object *>(pointer_); }
  loop_object &loop() const;  ///< of a loop, or of a function of one
  const std::shared_ptr<const object> &shared() const { return shared_; }
  function called() const { return function_; }
  const void *identity() const { return shared_ ? static_cast<const void *>(shared_.get()) : pointer_; }
  std::string undefined_message() const;

 private:
  template <class Object>
  const Object &as() const {
    return *static_cast<const Object *>(shared_.get());
  }

  std::shared_ptr<const object> shared_;
  union {
    std::int64_t integer_ = 0;
    double real_;
    void *pointer_;
    const char *hint_;
  };
  kind what_ = kind::absent;
  function function_ = function::range;
};

/// The name of a value's type as Python says it, for messages.
const char *type_name(const value &of);

/// What counts as true: neither empty, zero, none nor undefined.
bool truth(const value &of);

/// The entry of a key; null when there is none.
const value *find(const map_object &map, std::string_view key);

}  // namespace slipstream::jinja

#include "models/files/gguf/header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

using kind = gguf_value::kind;

constexpr std::uint64_t longest_key = 65535, longest_tensor_name = 1024, most_dimensions = 4;
constexpr std::array<std::uint64_t, 13> element_sizes{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

// A key as it may be printed in one line.
std::string printed(std::string_view key) {
  std::string text;
  for (const char byte : key.substr(0, 80)) {
    const bool plain = byte >= ' ' && byte < 127;
    text += plain ? byte : '?';
  }
  return text + (key.size() > 80 ? "…" : "");
}

// Goes through the header; every step is checked against what is left of the file.
class header_reader {
 public:
  header_reader(std::string_view bytes, const std::filesystem::path &file) : bytes_(bytes), file_(file) {}

  gguf_header read() {
    const auto [tensors, values] = counts();
    for (std::uint64_t i = 0; i < values; ++i) value(i);
    for (std::uint64_t i = 0; i < tensors; ++i) tensor(i);
    place_tensors();
    return std::move(header_);
  }

 private:
  [[noreturn]] void refuse(const std::string &what, const std::string &why) const {
    throw input_error(file_.string() + ": error: " + (what.empty() ? "" : what + ": ") + why);
  }
  [[noreturn]] void cut(const std::string &what) const {
    refuse(what, "reaches beyond the file's end; the file is cut or damaged, download it anew");
  }

  std::uint64_t left() const { return bytes_.size() - at_; }

  std::string_view take(std::uint64_t size, const std::string &what) {
    if (size > left()) cut(what);
    const auto part = bytes_.substr(at_, size);
    at_ += size;
    return part;
  }

  template <class T>
  T number(const std::string &what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  std::string_view text(const std::string &what) { return take(number<std::uint64_t>(what), what); }

  std::pair<std::uint64_t, std::uint64_t> counts() {
    if (bytes_.size() < 4 || bytes_.substr(0, 4) != "GGUF")
      refuse("", "is no GGUF file (it does not begin with GGUF); give a model's folder, or a .gguf file");
    at_ = 4;
    const auto version = number<std::uint32_t>("version");
    if (version == 0x03000000 || version == 0x02000000)
      refuse("version", "the file is big-endian, which is not supported; convert it");
    if (version != 2 && version != 3)
      refuse("version", std::to_string(version) + " is not supported (2 and 3 are); convert the file anew");
    const auto tensors = number<std::uint64_t>("tensor_count"), values = number<std::uint64_t>("kv_count");
    if (values > left() / 13)
      refuse("kv_count", std::to_string(values) + " keys have no room in the file; it is damaged");
    if (tensors > left() / 32)
      refuse("tensor_count", std::to_string(tensors) + " tensors have no room in the file; it is damaged");
    return {tensors, values};
  }

  kind type_of(std::uint32_t number, const std::string &key) const {
    if (number >= element_sizes.size())
      refuse(key, "has the unknown type " + std::to_string(number) + "; is the file damaged?");
    return static_cast<kind>(number);
  }

  // What one value takes; a flag must be 0 or 1.
  std::string_view element(kind type, const std::string &key) {
    if (type == kind::text) return text(key);
    const auto part = take(element_sizes[static_cast<std::size_t>(type)], key);
    if (type == kind::boolean && static_cast<unsigned char>(part[0]) > 1)
      refuse(key, "must be true or false; is the file damaged?");
    return part;
  }

  void list(gguf_value &found, const std::string &key) {
    found.element = type_of(number<std::uint32_t>(key), key);
    found.count = number<std::uint64_t>(key);
    if (found.element == kind::list) refuse(key, "a list of lists is not supported");
    if (found.count > left() / gguf_element_size(found.element))
      refuse(key, "a list of " + std::to_string(found.count) + " has no room in the file; it is damaged");
    const auto first = at_;
    for (std::uint64_t i = 0; i < found.count; ++i) element(found.element, key);
    found.bytes = bytes_.substr(first, at_ - first);
  }

  void value(std::uint64_t index) {
    const std::string place = "key " + std::to_string(index + 1);
    const auto name = text(place);
    if (name.empty() || name.size() > longest_key) refuse(place, "has no name, or one that is too long");
    const std::string key = printed(name);
    gguf_value found;
    found.type = type_of(number<std::uint32_t>(key), key);
    if (found.type == kind::list)
      list(found, key);
    else
      found.bytes = element(found.type, key);
    if (!header_.values.emplace(name, found).second) refuse(key, "is given twice");
  }

  void tensor(std::uint64_t index) {
    const std::string place = "tensor " + std::to_string(index + 1);
    const auto name = text(place);
    if (name.empty() || name.size() > longest_tensor_name)
      refuse(place, "has no name, or one that is too long");
    const std::string shown = "tensor " + printed(name);
    gguf_tensor found;
    const std::uint64_t values = shape(found, shown);
    const auto type = number<std::uint32_t>(shown);
    found.type = find_gguf_type(type);
    if (!found.type) refuse(shown, "has the unknown type " + std::to_string(type));
    if (static_cast<std::uint64_t>(found.shape.back()) % found.type->block != 0)
      refuse(shown, "has rows of " + std::to_string(found.shape.back()) + ", which " + found.type->name +
                        "'s blocks of " + std::to_string(found.type->block) + " do not divide");
    const auto offset = number<std::uint64_t>(shown);
    places_.push_back({offset, values / found.type->block, std::string(name)});
    if (!header_.tensors.emplace(name, std::move(found)).second) refuse(shown, "is given twice");
  }

  // The product of the sizes.
  std::uint64_t shape(gguf_tensor &found, const std::string &shown) {
    const auto dimensions = number<std::uint32_t>(shown);
    if (dimensions == 0 || dimensions > most_dimensions)
      refuse(shown, "has " + std::to_string(dimensions) + " dimensions (1 to 4 are supported)");
    std::uint64_t values = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const auto size = number<std::uint64_t>(shown);
      if (size == 0 || size > INT64_MAX || __builtin_mul_overflow(values, size, &values) ||
          values > INT64_MAX)
        refuse(shown, "has a size of " + std::to_string(size) + ", which cannot be");
      found.shape.insert(found.shape.begin(), static_cast<std::int64_t>(size));
    }
    return values;
  }

  std::uint64_t alignment() const {
    const auto found = header_.values.find("general.alignment");
    if (found == header_.values.end()) return 32;
    if (found->second.type != kind::u32) refuse("general.alignment", "must be a whole number of 32 bits");
    std::uint32_t value;
    std::memcpy(&value, found->second.bytes.data(), sizeof value);
    if (value < 8 || !std::has_single_bit(value))
      refuse("general.alignment", std::to_string(value) + " is no power of two from 8 on");
    return value;
  }

  void place_tensors() {
    const std::uint64_t step = alignment(), start = (at_ + step - 1) / step * step;
    if (places_.empty()) return;
    if (start > bytes_.size()) cut("the tensors' data");
    const std::uint64_t room = bytes_.size() - start;
    std::sort(places_.begin(), places_.end(),
              [](const auto &one, const auto &other) { return one.offset < other.offset; });
    std::uint64_t free = 0;
    for (const auto &[offset, count, name] : places_) {
      auto &found = header_.tensors.find(name)->second;
      const std::string shown = "tensor " + printed(name);
      std::uint64_t size = 0;
      if (__builtin_mul_overflow(count, found.type->bytes, &size) || offset > room || size > room - offset)
        cut(shown);
      if (offset % step != 0)
        refuse(shown, "begins at byte " + std::to_string(offset) + ", which is not aligned to " +
                          std::to_string(step));
      if (offset < free) refuse(shown, "overlaps another tensor; the file is damaged");
      found.bytes = bytes_.substr(start + offset, size);
      free = offset + size;
    }
  }

  struct data_place {
    std::uint64_t offset, count;
    std::string name;
  };

  std::string_view bytes_;
  const std::filesystem::path &file_;
  std::uint64_t at_ = 0;
  gguf_header header_;
  std::vector<data_place> places_;
};

}  // namespace

std::uint64_t gguf_element_size(gguf_value::kind type) {
  return element_sizes[static_cast<std::size_t>(type)];
}

gguf_header read_gguf_header(std::string_view bytes, const std::filesystem::path &file) {
  return header_reader(bytes, file).read();
}

}  // namespace slipstream

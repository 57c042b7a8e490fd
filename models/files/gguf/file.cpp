#include "models/files/gguf/file.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/error.hpp"
#include "models/files/gguf/header.hpp"
#include "models/files/mapping.hpp"

namespace slipstream {
namespace {

using stored = gguf_value::kind;

template <class T>
T number_at(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// A number of any whole type; none for another one, and for one beyond what a signed 64-bit number holds.
std::optional<std::int64_t> whole_at(stored type, const char *bytes) {
  switch (type) {
    case stored::u8:
      return number_at<std::uint8_t>(bytes);
    case stored::i8:
      return number_at<std::int8_t>(bytes);
    case stored::u16:
      return number_at<std::uint16_t>(bytes);
    case stored::i16:
      return number_at<std::int16_t>(bytes);
    case stored::u32:
      return number_at<std::uint32_t>(bytes);
    case stored::i32:
      return number_at<std::int32_t>(bytes);
    case stored::i64:
      return number_at<std::int64_t>(bytes);
    case stored::u64: {
      const auto value = number_at<std::uint64_t>(bytes);
      if (value <= INT64_MAX) return static_cast<std::int64_t>(value);
      return {};
    }
    default:
      return {};
  }
}

// Bytes of about 4 MB of numbers at a time: what is read of a mapped file is let go at once.
constexpr std::int64_t slice_of_numbers = 1 << 20;

}  // namespace

std::int64_t gguf_tensor::count() const {
  std::int64_t product = 1;
  for (const auto size : shape) product *= size;
  return product;
}

gguf_file::gguf_file(const std::filesystem::path &file) : path_(file) {
  const mapped_file mapped = map_file(file);
  data_ = mapped.data;
  gguf_header header = read_gguf_header({mapped.data.get(), mapped.size}, file);
  values_ = std::move(header.values);
  tensors_ = std::move(header.tensors);
}

void gguf_file::refuse(std::string_view key, const std::string &why) const {
  throw input_error(path_.string() + ": error: " + std::string(key) + ": " + why);
}

const gguf_value *gguf_file::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const gguf_tensor *gguf_file::find_tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::optional<std::string> gguf_file::text(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  if (found->type != stored::text) refuse(key, "must be a text");
  return std::string(found->bytes);
}

std::optional<std::vector<std::int64_t>> gguf_file::wholes(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  std::vector<std::int64_t> all;
  if (found->type != stored::list) refuse(key, "must be a list");
  const auto size = gguf_element_size(found->element);
  for (std::uint64_t i = 0; i < found->count; ++i) {
    const auto value = whole_at(found->element, found->bytes.data() + i * size);
    if (!value) refuse(key, "must be a list of whole numbers");
    all.push_back(*value);
  }
  return all;
}

std::optional<std::int64_t> gguf_file::whole(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  if (found->type == stored::list) {
    const auto all = wholes(key);
    if (all->empty() || std::adjacent_find(all->begin(), all->end(), std::not_equal_to<>()) != all->end())
      refuse(key, "layers that differ are not supported");
    return all->front();
  }
  const auto value = whole_at(found->type, found->bytes.data());
  if (!value) refuse(key, "must be a whole number");
  return value;
}

std::optional<double> gguf_file::number(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  double value = 0;
  if (found->type == stored::f32)
    value = static_cast<double>(number_at<float>(found->bytes.data()));
  else if (found->type == stored::f64)
    value = number_at<double>(found->bytes.data());
  else
    value = static_cast<double>(*whole(key));
  if (!std::isfinite(value)) refuse(key, "must be a finite number");
  return value;
}

std::optional<bool> gguf_file::flag(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  if (found->type != stored::boolean) refuse(key, "must be true or false");
  return found->bytes[0] != 0;
}

std::optional<std::vector<std::string_view>> gguf_file::texts(std::string_view key) const {
  const auto *found = find(key);
  if (!found) return {};
  if (found->type != stored::list || found->element != stored::text) refuse(key, "must be a list of texts");
  std::vector<std::string_view> all;
  all.reserve(found->count);
  auto rest = found->bytes;
  for (std::uint64_t i = 0; i < found->count; ++i) {
    const auto size = number_at<std::uint64_t>(rest.data());
    all.push_back(rest.substr(8, size));
    rest.remove_prefix(8 + size);
  }
  return all;
}

void gguf_file::read_rows(const std::string &name, std::int64_t first, std::int64_t count, float *to) const {
  const gguf_tensor &tensor = tensors_.find(name)->second;
  const gguf_type &type = *tensor.type;
  if (!type.dequantise)
    refuse("tensor " + name, std::string("the type ") + type.name +
                                 " is not supported; supported are: " + readable_gguf_types());
  const auto width = tensor.shape.back();
  const auto row_bytes = static_cast<std::uint64_t>(width) / type.block * type.bytes;
  const std::int64_t step = std::max<std::int64_t>(1, slice_of_numbers / width);
  for (std::int64_t row = first; row < first + count; row += step) {
    const auto rows = static_cast<std::uint64_t>(std::min(step, first + count - row));
    const char *from = tensor.bytes.data() + static_cast<std::uint64_t>(row) * row_bytes;
    const auto numbers = static_cast<std::int64_t>(rows) * width;
    populate_pages(from, rows * row_bytes);
    type.dequantise(from, static_cast<std::uint64_t>(numbers) / type.block, to);
    if (!std::all_of(to, to + numbers, [](float value) { return std::isfinite(value); }))
      refuse("tensor " + name, "holds numbers that are not finite; the file is damaged, download it anew");
    release_pages(from, rows * row_bytes);
    to += numbers;
  }
}

bool is_model_file(const std::filesystem::path &path) {
  std::error_code failed;
  return std::filesystem::is_regular_file(path, failed);
}

}  // namespace slipstream

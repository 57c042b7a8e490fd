#include "models/files/safetensors.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"
#include "models/files/write_failure.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

struct named_type {
  const char *name;
  at::ScalarType type;
};
constexpr std::array named_types{named_type{"F32", at::kFloat},     named_type{"F16", at::kHalf},
                                 named_type{"BF16", at::kBFloat16}, named_type{"I64", at::kLong},
                                 named_type{"I32", at::kInt},       named_type{"U8", at::kByte},
                                 named_type{"F64", at::kDouble},    named_type{"I16", at::kShort},
                                 named_type{"I8", at::kChar},       named_type{"BOOL", at::kBool}};

constexpr std::uint64_t largest_header = 100'000'000;  // as the reference reader has it

std::uint64_t little_endian(const char *bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

[[noreturn]] void refuse(const std::filesystem::path &file, const std::string &why) {
  throw input_error(file.string() + ": error: " + why + "; the file is damaged, write or download it anew");
}

void read_type(const json &entry, const std::filesystem::path &file, const std::string &name,
               stored_tensor &tensor) {
  const auto field = entry.find("dtype");
  if (field == entry.end() || !field->is_string())
    refuse(file, "tensor " + name + ": dtype " + (field == entry.end() ? "is missing" : "must be a name"));
  tensor.dtype = field->get<std::string>();
  tensor.type = at::ScalarType::Undefined;
  for (const named_type &row : named_types)
    if (tensor.dtype == row.name) tensor.type = row.type;
}

// A list of whole numbers; refuses anything else.
std::vector<std::uint64_t> numbers(const json &entry, const char *field, const std::filesystem::path &file,
                                   const std::string &name) {
  std::vector<std::uint64_t> values;
  const auto list = entry.find(field);
  bool good = list != entry.end() && list->is_array();
  for (std::size_t i = 0; good && i < list->size(); ++i) {
    good = (*list)[i].is_number_unsigned();
    if (good) values.push_back((*list)[i].get<std::uint64_t>());
  }
  if (!good) refuse(file, "tensor " + name + ": " + field + " must be a list of whole numbers");
  return values;
}

stored_tensor read_entry(const json &entry, const std::filesystem::path &file, const std::string &name,
                         std::uint64_t data_size) {
  if (!entry.is_object()) refuse(file, "tensor " + name + ": must be an object");
  stored_tensor tensor;
  read_type(entry, file, name, tensor);
  const auto shape = numbers(entry, "shape", file, name), range = numbers(entry, "data_offsets", file, name);
  if (range.size() != 2 || range[0] > range[1] || range[1] > data_size)
    refuse(file, "tensor " + name + ": data_offsets lie outside the file's data");
  const bool readable = tensor.type != at::ScalarType::Undefined;
  std::uint64_t bytes = readable ? c10::elementSize(tensor.type) : 1;
  bool fits = true;
  for (const std::uint64_t size : shape) {
    fits = fits && !__builtin_mul_overflow(bytes, size, &bytes) && size <= INT64_MAX;
    tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  if (!fits || (readable && bytes != range[1] - range[0]))
    refuse(file, "tensor " + name + ": shape and dtype do not match its data_offsets");
  tensor.begin = range[0];
  tensor.end = range[1];
  return tensor;
}

at::ScalarType stored_type(const at::Tensor &tensor, std::optional<at::ScalarType> floats) {
  return floats && tensor.is_floating_point() ? *floats : tensor.scalar_type();
}

void check_cover(const std::map<std::string, stored_tensor> &tensors, const std::filesystem::path &file,
                 std::uint64_t data_size) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto &[name, tensor] : tensors) ranges.emplace_back(tensor.begin, tensor.end);
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t next = 0;
  for (const auto &[begin, end] : ranges) {
    if (begin != next) refuse(file, "tensors overlap or leave gaps");
    next = end;
  }
  if (next != data_size) refuse(file, "there are bytes that belong to no tensor");
}

}  // namespace

safetensors_file::safetensors_file(const std::filesystem::path &file) : path_(file) {
  const mapped_file mapped = map_file(file);
  if (mapped.size < 8) refuse(file, "too short for a header");
  const std::uint64_t length = little_endian(mapped.data.get());
  if (length > mapped.size - 8 || length > largest_header)
    refuse(file, "the header reaches beyond the file's end");
  const json header = parse_json({mapped.data.get() + 8, static_cast<std::size_t>(length)}, file.string());
  if (!header.is_object()) refuse(file, "the header must be an object");
  const std::uint64_t data_size = mapped.size - 8 - length;
  for (const auto &[name, entry] : header.items())
    if (name != "__metadata__") tensors_.emplace(name, read_entry(entry, file, name, data_size));
  check_cover(tensors_, file, data_size);
  data_ = std::shared_ptr<const char>(mapped.data, mapped.data.get() + 8 + length);
}

at::Tensor safetensors_file::get(const std::string &name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw input_error(path_.string() + ": error: tensor " + name + " is missing");
  const stored_tensor &tensor = found->second;
  if (tensor.type == at::ScalarType::Undefined)
    throw input_error(path_.string() + ": error: tensor " + name + ": dtype " + tensor.dtype +
                      " cannot be read; convert the file");
  const at::TensorOptions options = at::TensorOptions(tensor.type);
  const char *start = data_.get() + tensor.begin;
  if (reinterpret_cast<std::uintptr_t>(start) % c10::elementSize(tensor.type) != 0) {
    at::Tensor copy = at::empty(tensor.shape, options);  // a header length need not be a multiple of the type
    if (tensor.end > tensor.begin) std::memcpy(copy.data_ptr(), start, tensor.end - tensor.begin);
    return copy;
  }
  return at::from_blob(
      const_cast<char *>(start), tensor.shape, [keep = data_](void *) {}, options);
}

void safetensors_file::copy_to(const std::string &name, const at::Tensor &place) const {
  const stored_tensor &stored = tensors_.at(name);
  const at::Tensor from = get(name);
  if (!place.is_contiguous() || !from.is_contiguous() || from.dim() == 0) {
    place.copy_(from);
    release_pages(data_.get() + stored.begin, stored.end - stored.begin);
    return;
  }
  constexpr std::int64_t slice = 1 << 22;  // elements
  const at::Tensor to = place.view({-1}), all = from.view({-1});
  for (std::int64_t first = 0; first < all.numel(); first += slice) {
    const std::int64_t count = std::min(slice, all.numel() - first);
    const at::Tensor part = all.narrow(0, first, count);
    populate_pages(part.data_ptr(), part.nbytes());
    to.narrow(0, first, count).copy_(part);
    release_pages(part.data_ptr(), part.nbytes());
  }
}

void write_safetensors(const std::filesystem::path &file,
                       const std::vector<std::pair<std::string, at::Tensor>> &tensors,
                       std::optional<at::ScalarType> floats) {
  json header{{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t next = 0;
  for (const auto &[name, tensor] : tensors) {
    const at::ScalarType type = stored_type(tensor, floats);
    const auto row = std::find_if(named_types.begin(), named_types.end(),
                                  [&](const named_type &each) { return each.type == type; });
    if (row == named_types.end() || header.contains(name))
      throw run_error(file.string() + ": tensor " + name +
                      " has a type that cannot be stored or comes twice");
    const std::uint64_t end = next + static_cast<std::uint64_t>(tensor.numel()) * c10::elementSize(type);
    header[name] = {{"dtype", row->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {next, end}}};
    next = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  errno = 0;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  const std::uint64_t length = text.size();
  for (int i = 0; i < 8; ++i) out.put(static_cast<char>(length >> (8 * i) & 0xff));
  out << text;
  for (const auto &[name, tensor] : tensors) {
    const at::Tensor dense = tensor.detach().cpu().to(stored_type(tensor, floats)).contiguous();
    out.write(static_cast<const char *>(dense.data_ptr()), static_cast<std::streamsize>(dense.nbytes()));
  }
  out.close();
  if (!out) throw write_failure(file, errno);
  sync_path(file);
}

}  // namespace slipstream

#include "models/files/gguf/writer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "models/error.hpp"
#include "models/files/gguf/blocks.hpp"
#include "models/files/mapping.hpp"
#include "models/files/write_failure.hpp"

namespace slipstream {
namespace {

constexpr std::uint64_t gguf_alignment = 32;
constexpr std::int64_t numbers_at_once = 1 << 20;

template <class T>
std::string stored_bytes(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string stored_text(const std::string &text) {
  return stored_bytes(std::uint64_t{text.size()}) + text;
}

std::string key_of_type(const std::string &key, std::uint32_t type) {
  return stored_text(key) + stored_bytes(type);
}

std::uint64_t aligned(std::uint64_t size) {
  return (size + gguf_alignment - 1) / gguf_alignment * gguf_alignment;
}

std::uint16_t to_bfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Away from zero at a half, as ggml rounds.
int rounded(float value) {
  return static_cast<int>(std::copysign(std::floor(std::abs(value) + 0.5f), value));
}

void put_q8_0(const float *from, char *to) {
  float most = 0;
  for (int i = 0; i < 32; ++i) most = std::max(most, std::abs(from[i]));
  const float scale = most / 127.0f, inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  const std::uint16_t half = float_to_half(scale);
  std::memcpy(to, &half, sizeof half);
  for (int i = 0; i < 32; ++i) to[2 + i] = static_cast<char>(rounded(from[i] * inverse));
}

// Numbers of whole blocks in a type that can be written.
void quantise(const gguf_type &type, const std::vector<float> &from, std::string &to) {
  const auto count = from.size();
  to.resize(count / type.block * type.bytes);
  const std::string_view name = type.name;
  if (name == "F32") {
    std::memcpy(to.data(), from.data(), to.size());
  } else if (name == "Q8_0") {
    for (std::size_t i = 0; i < count / 32; ++i) put_q8_0(from.data() + 32 * i, to.data() + 34 * i);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint16_t bits = name == "F16" ? float_to_half(from[i]) : to_bfloat(from[i]);
      std::memcpy(to.data() + 2 * i, &bits, sizeof bits);
    }
  }
}

// Halves end at 65504, bfloat16 a little below float32: a number beyond would become an infinity.
void check_range(const gguf_type &type, const std::vector<float> &numbers, const std::filesystem::path &file,
                 const std::string &tensor) {
  const std::string_view name = type.name;
  const float greatest = name == "F32"    ? 3.4028235e38f
                         : name == "F16"  ? 65519.0f
                         : name == "Q8_0" ? 65519.0f * 127.0f
                                          : 3.3961775e38f;
  for (const float number : numbers)
    if (!(std::abs(number) <= greatest))
      throw input_error(file.string() + ": error: tensor " + tensor + ": holds " + std::to_string(number) +
                        ", which " + type.name + " cannot; write --type f32");
}

}  // namespace

void gguf_writer::text(const std::string &key, const std::string &value) {
  values_ += key_of_type(key, 8) + stored_text(value);
  ++count_;
}

void gguf_writer::whole(const std::string &key, std::int64_t value) {
  values_ += key_of_type(key, 4) + stored_bytes(static_cast<std::uint32_t>(value));
  ++count_;
}

void gguf_writer::number(const std::string &key, double value) {
  values_ += key_of_type(key, 6) + stored_bytes(static_cast<float>(value));
  ++count_;
}

void gguf_writer::flag(const std::string &key, bool value) {
  values_ += key_of_type(key, 7) + std::string(1, value ? 1 : 0);
  ++count_;
}

void gguf_writer::texts(const std::string &key, const std::vector<std::string> &values) {
  values_ +=
      key_of_type(key, 9) + stored_bytes(std::uint32_t{8}) + stored_bytes(std::uint64_t{values.size()});
  for (const auto &each : values) values_ += stored_text(each);
  ++count_;
}

void gguf_writer::wholes(const std::string &key, const std::vector<std::int32_t> &values) {
  values_ +=
      key_of_type(key, 9) + stored_bytes(std::uint32_t{5}) + stored_bytes(std::uint64_t{values.size()});
  for (const auto each : values) values_ += stored_bytes(each);
  ++count_;
}

void gguf_writer::tensor(const std::string &name, const std::vector<std::int64_t> &shape,
                         const gguf_type &type, row_source rows) {
  tensors_.push_back({name, shape, &type, std::move(rows)});
}

std::uint64_t gguf_writer::planned::size() const {
  std::uint64_t numbers = 1;
  for (const auto each : shape) numbers *= static_cast<std::uint64_t>(each);
  return numbers / type->block * type->bytes;
}

std::string gguf_writer::header() const {
  std::string bytes = "GGUF" + stored_bytes(std::uint32_t{3}) + stored_bytes(std::uint64_t{tensors_.size()}) +
                      stored_bytes(count_) + values_;
  std::uint64_t next = 0;
  for (const auto &each : tensors_) {
    bytes += stored_text(each.name) + stored_bytes(static_cast<std::uint32_t>(each.shape.size()));
    for (auto size = each.shape.rbegin(); size != each.shape.rend(); ++size)
      bytes += stored_bytes(static_cast<std::uint64_t>(*size));
    bytes += stored_bytes(each.type->number) + stored_bytes(next);
    next += aligned(each.size());
  }
  bytes.resize(aligned(bytes.size()), '\0');
  return bytes;
}

void gguf_writer::write(const std::filesystem::path &file) const {
  const auto fresh = file.parent_path() / ("." + file.filename().string() + ".new");
  try {
    errno = 0;
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << header();
    std::vector<float> numbers;
    std::string bytes;
    for (const auto &each : tensors_) {
      const std::int64_t rows = each.shape.size() > 1 ? each.shape.front() : 1, width = each.shape.back();
      const std::int64_t step = std::max<std::int64_t>(1, numbers_at_once / width);
      for (std::int64_t first = 0; out && first < rows; first += step) {
        const std::int64_t count = std::min(step, rows - first);
        numbers.resize(static_cast<std::size_t>(count * width));
        each.rows(first, count, numbers.data());
        check_range(*each.type, numbers, file, each.name);
        quantise(*each.type, numbers, bytes);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      }
      const auto size = each.size();
      out << std::string(aligned(size) - size, '\0');
    }
    out.close();
    if (!out) throw write_failure(file, errno);
    sync_path(fresh);
    std::filesystem::rename(fresh, file);
    sync_path(std::filesystem::absolute(file).parent_path());
  } catch (const std::filesystem::filesystem_error &problem) {
    std::error_code failed;
    std::filesystem::remove(fresh, failed);
    throw write_failure(problem.path1(), problem.code().value());
  } catch (...) {
    std::error_code failed;
    std::filesystem::remove(fresh, failed);
    throw;
  }
}

const gguf_type &gguf_type_for_rows(const gguf_type &wanted, std::int64_t width) {
  return width % static_cast<std::int64_t>(wanted.block) == 0 ? wanted : *find_gguf_type("F16");
}

}  // namespace slipstream

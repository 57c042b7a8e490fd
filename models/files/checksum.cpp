#include "models/files/checksum.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <vector>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9,
                        prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;
constexpr std::size_t block = 32;
constexpr const char *list_name = "checksums.json";

template <class T>
T load(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;  // little-endian machines only, as all files here
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
  return std::rotl(lane + input * prime2, 31) * prime1;
}

std::uint64_t merge(std::uint64_t sum, std::uint64_t lane) {
  return (sum ^ round(0, lane)) * prime1 + prime4;
}

std::uint64_t finish(std::uint64_t sum, std::string_view rest) {
  for (; rest.size() >= 8; rest.remove_prefix(8))
    sum = std::rotl(sum ^ round(0, load<std::uint64_t>(rest.data())), 27) * prime1 + prime4;
  if (rest.size() >= 4) {
    sum = std::rotl(sum ^ load<std::uint32_t>(rest.data()) * prime1, 23) * prime2 + prime3;
    rest.remove_prefix(4);
  }
  for (const char byte : rest) sum = std::rotl(sum ^ static_cast<unsigned char>(byte) * prime5, 11) * prime1;
  sum = (sum ^ sum >> 33) * prime2;
  sum = (sum ^ sum >> 29) * prime3;
  return sum ^ sum >> 32;
}

}  // namespace

running_xxh64::running_xxh64() : lanes_{prime1 + prime2, prime2, 0, 0 - prime1} {}

void running_xxh64::add(std::string_view bytes) {
  size_ += bytes.size();
  const auto take = [&](const char *from) {
    for (int i = 0; i < 4; ++i) lanes_[i] = round(lanes_[i], load<std::uint64_t>(from + 8 * i));
  };
  if (!rest_.empty()) {
    const auto more = std::min(block - rest_.size(), bytes.size());
    rest_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    if (rest_.size() < block) return;
    take(rest_.data());
    rest_.clear();
  }
  for (; bytes.size() >= block; bytes.remove_prefix(block)) take(bytes.data());
  rest_ = bytes;
}

std::uint64_t running_xxh64::sum() const {
  std::uint64_t sum = prime5;
  if (size_ >= block) {
    sum = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
          std::rotl(lanes_[3], 18);
    for (const auto lane : lanes_) sum = merge(sum, lane);
  }
  return finish(sum + size_, rest_);
}

std::string file_checksum(const fs::path &file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<char> piece(std::size_t{1} << 20);
  running_xxh64 sum;
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    sum.add({piece.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (!in.eof()) throw input_error(file.string() + ": error: cannot be read; look at its permissions");
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sum.sum()));
  return text.data();
}

void write_checksums(const fs::path &folder) {
  json list = json::object();
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != list_name)
      list[entry.path().filename().string()] = file_checksum(entry.path());
  write_file(folder / list_name, json{{"xxh64", list}}.dump(2));
}

void verify_checksums(const fs::path &folder) {
  const fs::path file = folder / list_name;
  if (!fs::exists(file)) return;
  const json content = read_json(file);
  const auto list = content.is_object() ? content.find("xxh64") : content.end();
  if (list == content.end() || !list->is_object())
    throw input_error(file.string() +
                      ": error: holds no checksums; the checkpoint is damaged, take an older one");
  for (const auto &[name, sum] : list->items()) {
    const fs::path each = folder / name;
    if (!fs::exists(each))
      throw input_error(each.string() + ": error: is missing from the checkpoint; take an older one");
    if (sum != file_checksum(each))
      throw input_error(
          each.string() +
          ": error: holds other bytes than were written (by checksums.json); put the file back, "
          "or remove this checkpoint and go on from an older one");
  }
}

}  // namespace slipstream

#include "runtime/journal/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "models/error.hpp"
#include "models/files/mapping.hpp"
#include "runtime/journal/bytes.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "SLJ2";
constexpr std::uint32_t marker =
    0x8a4a4c53;                             // stands before every record, so that a reader finds the next one
constexpr std::size_t head = 13;            // marker, length, checksum, flags
constexpr std::size_t worth_packing = 200;  // bytes
constexpr std::uint64_t largest = std::uint64_t{1} << 30;

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::string frame(std::string payload) {
  std::uint8_t packed = 0;
  if (payload.size() >= worth_packing) {
    std::string shorter(ZSTD_compressBound(payload.size()), '\0');
    const std::size_t size = ZSTD_compress(shorter.data(), shorter.size(), payload.data(), payload.size(), 1);
    if (ZSTD_isError(size) == 0 && size < payload.size()) {
      shorter.resize(size);
      payload = std::move(shorter);
      packed = 1;
    }
  }
  payload.insert(payload.begin(), static_cast<char>(packed));
  byte_writer out;
  out.put(marker);
  out.put(static_cast<std::uint32_t>(payload.size()));
  out.put(checksum(payload));
  return out.take() + payload;
}

std::string unpack(std::string_view bytes) {
  const auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > largest)
    throw run_error("a record does not unpack");
  std::string whole(size, '\0');
  const std::size_t got = ZSTD_decompress(whole.data(), whole.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0 || got != size) throw run_error("a record does not unpack");
  return whole;
}

// The record at the start of `bytes`; throws run_error when it is not whole.
journal_record read_frame(std::string_view bytes, std::size_t &length) {
  byte_reader in(bytes);
  if (bytes.size() < head || in.get<std::uint32_t>() != marker) throw run_error("no record begins here");
  const auto size = in.get<std::uint32_t>();
  const auto sum = in.get<std::uint32_t>();
  length = head - 1 + size;
  if (size < 1 || length > bytes.size()) throw run_error("the record is cut off");
  const std::string_view payload = bytes.substr(head - 1, size);
  if (checksum(payload) != sum) throw run_error("the record's checksum does not fit");
  return payload.front() == 1 ? decode(unpack(payload.substr(1))) : decode(payload.substr(1));
}

bool holds_record(std::string_view bytes) {
  std::string sign(4, '\0');
  std::memcpy(sign.data(), &marker, 4);
  for (auto at = bytes.find(sign, 1); at != std::string_view::npos; at = bytes.find(sign, at + 1)) {
    try {
      std::size_t length = 0;
      read_frame(bytes.substr(at), length);
      return true;
    } catch (const run_error &) {
      continue;
    }
  }
  return false;
}

std::vector<fs::path> journal_files(const fs::path &folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto &entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == ".journal") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

struct journal_end {
  std::optional<journal_damage> damage;
  std::uint64_t offset = 0;  // behind the last whole record of the last file read
};

journal_end read_file(const fs::path &file, bool last,
                      const std::function<void(const journal_record &)> &visit) {
  if (fs::file_size(file) < magic.size()) return {journal_damage{file, 0, last, "the file is cut off"}, 0};
  const mapped_file mapped = map_file(file);
  const std::string_view bytes(mapped.data.get(), mapped.size);
  if (!bytes.starts_with(magic))
    throw input_error(file.string() + ": error: no journal of format SLJ2, the one this version reads");
  std::size_t at = magic.size();
  while (at < bytes.size()) {
    std::size_t length = 0;
    journal_record record;
    try {
      record = read_frame(bytes.substr(at), length);
    } catch (const run_error &problem) {
      const bool torn = last && !holds_record(bytes.substr(at));
      return {journal_damage{file, at, torn, problem.what()}, at};
    }
    visit(record);
    at += length;
  }
  return {{}, at};
}

journal_end read_files(const std::vector<fs::path> &files,
                       const std::function<void(const journal_record &)> &visit) {
  journal_end end;
  for (const fs::path &file : files) {
    end = read_file(file, file == files.back(), visit);
    if (end.damage) break;
  }
  return end;
}

std::string reason() {
  return std::error_code(errno, std::generic_category()).message();
}

}  // namespace

std::string to_string(const journal_damage &damage) {
  return fmt::format("{}: damaged at byte {}: {}{}", damage.file.string(), damage.offset, damage.why,
                     damage.torn ? " (the last record, as a kill leaves it)" : "");
}

std::optional<journal_damage> read_journal(const fs::path &folder,
                                           const std::function<void(const journal_record &)> &visit) {
  const auto files = journal_files(folder);
  if (files.empty())
    throw input_error(folder.string() +
                      ": error: there is no journal; name the folder of a run that has begun");
  return read_files(files, visit).damage;
}

journal_writer::journal_writer(fs::path folder, std::uint64_t rotate)
    : folder_(std::move(folder)), rotate_(rotate) {
  const auto files = journal_files(folder_);
  number_ = static_cast<std::int64_t>(files.size());
  if (files.empty()) {
    open_next();
    return;
  }
  const journal_end end = read_files(files, [](const journal_record &) {});
  if (end.damage && !end.damage->torn)
    throw input_error(to_string(*end.damage) + "; the journal cannot be gone on with");
  file_ = files.back();
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
  size_ = std::max<std::uint64_t>(end.offset, magic.size());
  if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(end.offset)) != 0 ||
      ::lseek(descriptor_, 0, SEEK_END) < 0)
    throw run_error(file_.string() + ": cannot be gone on with: " + reason());
  if (end.offset < magic.size()) write_all(descriptor_, magic, file_);
}

journal_writer::~journal_writer() {
  close();
}

void journal_writer::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void journal_writer::open_next() {
  if (descriptor_ >= 0) sync();
  close();
  file_ = folder_ / fmt::format("{:06}.journal", ++number_);
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw run_error(file_.string() + ": cannot be made: " + reason());
  write_all(descriptor_, magic, file_);
  sync_path(folder_);
  size_ = magic.size();
}

void journal_writer::append(const journal_record &record) {
  const std::string bytes = frame(encode(record));
  if (size_ + bytes.size() > rotate_ && size_ > magic.size()) open_next();
  write_all(descriptor_, bytes, file_);
  size_ += bytes.size();
  total_ += bytes.size();
  dirty_ = true;
}

void journal_writer::sync() {
  if (!dirty_) return;
  if (::fdatasync(descriptor_) != 0) throw run_error(file_.string() + ": cannot be synced: " + reason());
  dirty_ = false;
}

}  // namespace slipstream

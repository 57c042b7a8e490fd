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
#include "models/files/write_failure.hpp"
#include "runtime/journal/bytes.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "SLJ2";
constexpr std::uint32_t marker =
    0x8a4a4c53;                             // stands before every record, so that a reader finds the next one
constexpr std::size_t head = 12;            // marker, length, checksum
constexpr std::size_t worth_packing = 200;  // bytes
// A record is packed only where it unpacks to no more than this; then a few bytes cannot ask for much memory.
constexpr std::uint64_t always_unpacked = std::uint64_t{2} << 20, unpacked_ratio = 16;

bool may_unpack(std::uint64_t size, std::size_t packed) {
  return size <= std::max<std::uint64_t>(always_unpacked, unpacked_ratio * packed);
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// `behind`: bytes from what is known to be on the disk up to this record.
std::string frame(std::string payload, std::uint64_t behind) {
  std::uint8_t packed = 0;
  if (payload.size() >= worth_packing) {
    std::string shorter(ZSTD_compressBound(payload.size()), '\0');
    const std::size_t size = ZSTD_compress(shorter.data(), shorter.size(), payload.data(), payload.size(), 1);
    if (ZSTD_isError(size) == 0 && size < payload.size() && may_unpack(payload.size(), size)) {
      shorter.resize(size);
      payload = std::move(shorter);
      packed = 1;
    }
  }
  byte_writer flags;
  flags.put(packed);
  flags.count(behind);
  payload.insert(0, flags.take());
  byte_writer out;
  out.put(marker);
  out.put(static_cast<std::uint32_t>(payload.size()));
  out.put(checksum(payload));
  return out.take() + payload;
}

std::string unpack(std::string_view bytes) {
  const auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
    throw run_error("a record does not unpack");
  if (!may_unpack(size, bytes.size())) throw run_error("a record claims to unpack to more than is written");
  std::string whole(size, '\0');
  const std::size_t got = ZSTD_decompress(whole.data(), whole.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0 || got != size) throw run_error("a record does not unpack");
  return whole;
}

struct framed {
  std::size_t length = 0;    // of the whole frame
  std::uint64_t behind = 0;  // as in frame()
  bool packed = false;
  std::string_view payload;
};

// The frame at the start of `bytes`; throws run_error when it is not whole.
framed read_frame(std::string_view bytes) {
  byte_reader in(bytes);
  if (bytes.size() < head || in.get<std::uint32_t>() != marker) throw run_error("no record begins here");
  const auto size = in.get<std::uint32_t>();
  const auto sum = in.get<std::uint32_t>();
  if (size < 2 || size > bytes.size() - head) throw run_error("the record is cut off");
  const std::string_view content = bytes.substr(head, size);
  if (checksum(content) != sum) throw run_error("the record's checksum does not fit");
  byte_reader flags(content);
  framed result;
  result.length = head + size;
  result.packed = flags.get<std::uint8_t>() == 1;
  result.behind = flags.count();
  result.payload = flags.rest();
  return result;
}

journal_record read_record(const framed &frame) {
  return frame.packed ? decode(unpack(frame.payload)) : decode(frame.payload);
}

// Whether a whole record behind a damaged one says that the damaged place was on the disk already: then
// no kill and no power cut has done it.
bool was_durable(std::string_view bytes, std::size_t damaged) {
  std::string sign(4, '\0');
  std::memcpy(sign.data(), &marker, 4);
  for (auto at = bytes.find(sign, damaged + 1); at != std::string_view::npos; at = bytes.find(sign, at + 1)) {
    try {
      const auto frame = read_frame(bytes.substr(at));
      if (frame.behind <= at && at - frame.behind > damaged) return true;
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
  if (last && bytes.find_first_not_of('\0') == std::string_view::npos)
    return {journal_damage{file, 0, true, "the file holds zeros"}, 0};
  if (!bytes.starts_with(magic))
    throw input_error(file.string() + ": error: no journal of format SLJ2, the one this version reads");
  std::size_t at = magic.size();
  while (at < bytes.size()) {
    framed frame;
    journal_record record;
    bool whole = false;
    try {
      frame = read_frame(bytes.substr(at));
      whole = true;
      record = read_record(frame);
    } catch (const run_error &problem) {  // a whole record that nobody understands was not torn
      return {journal_damage{file, at, !whole && last && !was_durable(bytes, at), problem.what()}, at};
    }
    visit(record);
    at += frame.length;
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

}  // namespace

std::string to_string(const journal_damage &damage) {
  return fmt::format("{}: damaged at byte {}: {}{}", damage.file.string(), damage.offset, damage.why,
                     damage.torn ? " (behind what was synced, as a kill or a power cut leaves it)" : "");
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
  size_ = end.offset;
  if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0 ||
      ::lseek(descriptor_, 0, SEEK_END) < 0)
    throw write_failure(file_, errno, "cannot be gone on with");
  if (size_ < magic.size()) begin_file();
  dirty_ = true;  // what a killed process wrote may not be on the disk yet
  sync();
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
  if (descriptor_ < 0) throw write_failure(file_, errno, "cannot be made");
  begin_file();
  dirty_ = true;
  sync();
  sync_path(folder_);
}

void journal_writer::begin_file() {
  write_all(descriptor_, magic, file_);
  size_ = magic.size();
}

void journal_writer::append(const journal_record &record) {
  std::string payload = encode(record);
  if (size_ + payload.size() > rotate_ && size_ > magic.size()) open_next();
  const std::string bytes = frame(std::move(payload), size_ - synced_);
  write_all(descriptor_, bytes, file_);
  size_ += bytes.size();
  total_ += bytes.size();
  dirty_ = true;
}

void journal_writer::sync() {
  if (!dirty_) return;
  if (::fdatasync(descriptor_) != 0) throw write_failure(file_, errno, "cannot be synced to the disk");
  dirty_ = false;
  synced_ = size_;
}

}  // namespace slipstream

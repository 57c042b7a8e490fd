#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "runtime/journal/events.hpp"

namespace slipstream {

/// A place in a journal from which on nothing can be read.
struct journal_damage {
  std::filesystem::path file;
  std::uint64_t offset = 0;
  bool torn = false;  ///< behind what was known to be on the disk: as a kill or a power cut leaves it
  std::string why;
};
std::string to_string(const journal_damage &damage);

/// Reads the files of a journal folder (000001.journal …) in order and hands out whole records; stops at the
/// first that is damaged. Throws input_error when there is no journal, or one of another format.
std::optional<journal_damage> read_journal(const std::filesystem::path &folder,
                                           const std::function<void(const journal_record &)> &visit);

/// Appends records. A file is "SLJ2", then records: marker, length, CRC-32 of what follows, flags, distance
/// to what is known to be on the disk, payload (zstd where that is shorter); a full file is followed by the
/// next. Throws run_error naming the file, as on a full disk.
class journal_writer {
 public:
  /// Goes on behind the last whole record; a torn one is cut off. `rotate` bytes fill a file.
  explicit journal_writer(std::filesystem::path folder, std::uint64_t rotate = 64'000'000);
  ~journal_writer();
  journal_writer(const journal_writer &) = delete;
  journal_writer &operator=(const journal_writer &) = delete;

  void append(const journal_record &record);
  /// What was appended is on the disk when this returns.
  void sync();
  std::uint64_t bytes() const { return total_; }  ///< written since construction

 private:
  void open_next();
  void begin_file();
  void close();

  std::filesystem::path folder_, file_;
  std::uint64_t rotate_, size_ = 0, synced_ = 0, total_ = 0;
  std::int64_t number_ = 0;
  int descriptor_ = -1;
  bool dirty_ = false;
};

}  // namespace slipstream

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/wire/early_sums.hpp"
#include "runtime/wire/frames.hpp"
#include "runtime/wire/spool.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream::wire {

/// The checksums of a version's chunks, as far as they are known.
struct chunk_table {
  std::vector<std::uint64_t> sums;
  std::vector<bool> known;
};

/// One version cut into chunks: whole from the start (the learner's), or filled while it arrives. Belongs to
/// one thread. Nothing outside of runtime/wire gets a version that is not whole.
class version_source {
 public:
  /// `whole`: the tensor holds the values already. `spool`: the file that the tensor shows, into which chunks
  /// are written, and from which they are read without a look at the tensor's memory; null: ordinary memory.
  version_source(weight_version value, const unique_id &origin, wire_type type, std::int64_t chunk_bytes,
                 bool whole, std::shared_ptr<spool_file> spool = nullptr);
  ~version_source();
  version_source(const version_source &) = delete;
  version_source &operator=(const version_source &) = delete;

  const weight_version &value() const { return value_; }
  const unique_id &origin() const { return origin_; }
  wire_type type() const { return type_; }
  std::int64_t chunk_bytes() const { return chunk_bytes_; }
  std::int64_t elements() const { return elements_; }
  std::int64_t chunks() const { return chunks_; }
  /// How many bytes a chunk has on the wire.
  std::size_t bytes(std::int64_t chunk) const;
  bool has(std::int64_t chunk) const { return present_[static_cast<std::size_t>(chunk)]; }
  bool whole() const { return missing_ == 0; }
  std::int64_t missing() const { return missing_; }
  bool cancelled() const { return cancelled_; }
  void cancel() { cancelled_ = true; }
  std::shared_ptr<const chunk_table> table() const { return table_; }
  /// Whether an offer has the same origin, the same version and the same chunk size.
  bool continues(const offer_text &offer, std::int64_t version) const;
  /// Whether chunks of the other may stand for chunks of this one.
  bool comparable(const version_source &other) const;

  /// Returns a chunk's bytes as they travel: in the tensor's memory, or in `staging`.
  const void *read(std::int64_t chunk, std::vector<std::uint16_t> &staging);
  /// Returns the checksum of those bytes, which is computed once.
  std::uint64_t sum(std::int64_t chunk, const void *bytes);
  /// Has the thread compute the checksums that are not known, ahead of sum(). It is called when somebody is
  /// about to read the version.
  void sum_ahead(sums_thread &thread);

  /// Returns where to write a chunk's bytes, in the form in which they travel.
  void *room(std::int64_t chunk, std::vector<std::uint16_t> &staging);
  /// Notes that a chunk's bytes are there and that their checksum is right.
  void accept(std::int64_t chunk, std::uint64_t sum, const std::vector<std::uint16_t> &staging);
  /// Takes a chunk from another version. Throws wire_error where that version does not have it.
  void copy(std::int64_t chunk, const version_source &base);
  /// Returns one bit for each chunk: whether it is there.
  std::vector<std::uint8_t> bitmap() const;

 private:
  std::int64_t first_element(std::int64_t chunk) const { return chunk * per_chunk_; }
  std::size_t offset(std::int64_t chunk) const {
    return static_cast<std::size_t>(first_element(chunk)) * sizeof(float);
  }
  std::size_t elements_of(std::int64_t chunk) const;
  const float *elements_at(std::int64_t chunk);
  void mark(std::int64_t chunk, std::uint64_t sum);

  weight_version value_;
  unique_id origin_;
  wire_type type_;
  std::int64_t chunk_bytes_, elements_, per_chunk_, chunks_, missing_;
  std::vector<bool> present_;
  std::shared_ptr<chunk_table> table_;
  std::shared_ptr<early_sums> early_;  ///< null: nobody has asked for them
  std::shared_ptr<spool_file> spool_;
  std::vector<float> wide_;  ///< one chunk, on its way to or from the spool
  float *data_;
  bool cancelled_ = false;
};
using source_ptr = std::shared_ptr<version_source>;

}  // namespace slipstream::wire

#include "runtime/wire/version_source.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/wire/bfloat16.hpp"

namespace slipstream::wire {

version_source::version_source(weight_version value, const unique_id &origin, wire_type type,
                               std::int64_t chunk_bytes, bool whole, std::shared_ptr<spool_file> spool)
    : value_(std::move(value)),
      origin_(origin),
      type_(type),
      chunk_bytes_(chunk_bytes),
      elements_(value_.flat.numel()),
      per_chunk_(chunk_bytes / (type == wire_type::float32 ? 4 : 2)),
      chunks_((elements_ + per_chunk_ - 1) / per_chunk_),
      missing_(whole ? 0 : chunks_),
      present_(static_cast<std::size_t>(chunks_), whole),
      table_(std::make_shared<chunk_table>()),
      spool_(std::move(spool)),
      // This memory is read-only where the values came through shared memory or lie in a spool; then nobody
      // writes through this pointer.
      data_(static_cast<float *>(value_.flat.data_ptr())) {
  table_->sums.resize(static_cast<std::size_t>(chunks_));
  table_->known.resize(static_cast<std::size_t>(chunks_), false);
}

version_source::~version_source() {
  if (early_) early_->stop();
}

std::size_t version_source::elements_of(std::int64_t chunk) const {
  return static_cast<std::size_t>(std::min(per_chunk_, elements_ - first_element(chunk)));
}

std::size_t version_source::bytes(std::int64_t chunk) const {
  return elements_of(chunk) * (type_ == wire_type::float32 ? 4 : 2);
}

bool version_source::continues(const offer_text &offer, std::int64_t version) const {
  return !cancelled_ && offer.origin == origin_ && version == value_.version &&
         offer.elements == static_cast<std::uint64_t>(elements_) && offer.chunk_bytes == chunk_bytes_ &&
         offer.type == static_cast<std::uint8_t>(type_) && !offer.mapped;
}

bool version_source::comparable(const version_source &other) const {
  return origin_ == other.origin_ && type_ == other.type_ && chunk_bytes_ == other.chunk_bytes_ &&
         elements_ == other.elements_;
}

const void *version_source::read(std::int64_t chunk, std::vector<std::uint16_t> &staging) {
  const bool plain = type_ == wire_type::float32;
  if (plain && !spool_) return data_ + first_element(chunk);
  staging.resize(static_cast<std::size_t>(chunk_bytes_) / 2);
  if (plain)
    spool_->read(offset(chunk), staging.data(), bytes(chunk));
  else
    to_bfloat16(elements_at(chunk), staging.data(), elements_of(chunk));
  return staging.data();
}

const float *version_source::elements_at(std::int64_t chunk) {
  if (!spool_) return data_ + first_element(chunk);
  wide_.resize(static_cast<std::size_t>(per_chunk_));
  spool_->read(offset(chunk), wide_.data(), elements_of(chunk) * sizeof(float));
  return wide_.data();
}

std::uint64_t version_source::sum(std::int64_t chunk, const void *at) {
  const auto i = static_cast<std::size_t>(chunk);
  if (!table_->known[i]) {
    const auto early = early_ ? early_->find(chunk) : std::nullopt;
    if (early_ && !early) early_->go_on_at(chunk + 1);
    table_->sums[i] = early ? *early : checksum(at, bytes(chunk));
    table_->known[i] = true;
  }
  return table_->sums[i];
}

/// Two kinds of versions are left out: bfloat16, whose bytes are made only when they are sent, and versions
/// that arrive with checksums.
void version_source::sum_ahead(sums_thread &thread) {
  const bool some = std::find(table_->known.begin(), table_->known.end(), false) != table_->known.end();
  if (early_ || type_ != wire_type::float32 || !whole() || !some || chunks_ < 2) return;
  early_ = std::make_shared<early_sums>(chunks_);
  thread.start(value_.flat, chunk_bytes_, early_);
}

void *version_source::room(std::int64_t chunk, std::vector<std::uint16_t> &staging) {
  if (type_ == wire_type::float32 && !spool_) return data_ + first_element(chunk);
  staging.resize(static_cast<std::size_t>(chunk_bytes_) / 2);
  return staging.data();
}

void version_source::accept(std::int64_t chunk, std::uint64_t sum,
                            const std::vector<std::uint16_t> &staging) {
  const auto count = elements_of(chunk);
  if (type_ == wire_type::bfloat16) {
    if (spool_) wide_.resize(static_cast<std::size_t>(per_chunk_));
    from_bfloat16(staging.data(), spool_ ? wide_.data() : data_ + first_element(chunk), count);
    if (spool_) spool_->write(offset(chunk), wide_.data(), count * sizeof(float));
  } else if (spool_) {
    spool_->write(offset(chunk), staging.data(), count * sizeof(float));
  }
  mark(chunk, sum);
}

void version_source::copy(std::int64_t chunk, const version_source &base) {
  const auto i = static_cast<std::size_t>(chunk);
  if (!comparable(base) || !base.whole() || !base.table_->known[i])
    throw wire_error("a chunk is said to be as in a version that is not here");
  const float *from = base.data_ + first_element(chunk);
  const auto size = elements_of(chunk) * sizeof(float);
  if (spool_)
    spool_->write(offset(chunk), from, size);
  else if (data_ != base.data_)  // otherwise both share the memory, and the chunk is there
    std::memcpy(data_ + first_element(chunk), from, size);
  mark(chunk, base.table_->sums[i]);
}

void version_source::mark(std::int64_t chunk, std::uint64_t sum) {
  const auto i = static_cast<std::size_t>(chunk);
  table_->sums[i] = sum;
  table_->known[i] = true;
  if (!present_[i]) --missing_;
  present_[i] = true;
}

std::vector<std::uint8_t> version_source::bitmap() const {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(chunks_ + 7) / 8);
  for (std::size_t i = 0; i < present_.size(); ++i)
    if (present_[i]) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1 << i % 8);
  return bits;
}

}  // namespace slipstream::wire

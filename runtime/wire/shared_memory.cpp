#include "runtime/wire/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "models/error.hpp"
#include "runtime/wire/bfloat16.hpp"

namespace slipstream::wire {

shared_slot::shared_slot(std::uint64_t number, std::size_t bytes)
    : number_(number),
      bytes_(bytes),
      descriptor_(::memfd_create("slipstream weights", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  data_ = MAP_FAILED;
  if (descriptor_ >= 0 && ::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0)
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  // With these seals nobody can shorten the file under a reader (SIGBUS), and no mapping but ours is
  // writable.
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (data_ != MAP_FAILED && ::fcntl(descriptor_, F_ADD_SEALS, seals) == 0) return;
  const std::string why = std::strerror(errno);
  if (data_ != MAP_FAILED) ::munmap(data_, bytes);
  if (descriptor_ >= 0) ::close(descriptor_);
  throw run_error("error: no shared memory for weights of " + std::to_string(bytes >> 20) + " MB: " + why);
}

shared_slot::~shared_slot() {
  ::munmap(data_, bytes_);
  ::close(descriptor_);
}

mapped_slot::mapped_slot(int descriptor, std::size_t bytes) : bytes_(bytes), data_(MAP_FAILED) {
  if (descriptor < 0) throw wire_error("an offer came without its shared memory");
  struct stat file {};
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  const bool sound = seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && ::fstat(descriptor, &file) == 0 &&
                     static_cast<std::size_t>(file.st_size) >= bytes;
  if (sound) data_ = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (data_ == MAP_FAILED) throw wire_error("shared memory of an offer cannot be used");
}

mapped_slot::~mapped_slot() {
  ::munmap(data_, bytes_);
}

slot_store::entry &slot_store::of(const source_ptr &content) {
  const auto bytes = static_cast<std::size_t>(content->elements()) * sizeof(float);
  entry *free = nullptr;
  for (auto &slot : slots_) {
    if (slot.content == content) return slot;
    if (!slot.content && slot.held_by.empty() && !slot.lost && slot.memory.bytes() == bytes) free = &slot;
  }
  if (!free) free = &slots_.emplace_back(next_++, bytes);
  free->content = content;
  free->copied = 0;
  return *free;
}

void slot_store::copy_some(entry &slot, std::int64_t chunks) {
  const auto &from = *slot.content;
  const std::int64_t width = from.type() == wire_type::float32 ? 4 : 2;
  const std::int64_t end = std::min(slot.copied + chunks, from.chunks());
  const std::int64_t first = slot.copied * (from.chunk_bytes() / width);
  const std::int64_t last = std::min(end * (from.chunk_bytes() / width), from.elements());
  const float *values = from.value().flat.data_ptr<float>() + first;
  const auto count = static_cast<std::size_t>(last - first);
  if (from.type() == wire_type::float32)
    std::memcpy(slot.memory.data() + first, values, count * sizeof(float));
  else
    round_to_bfloat16(values, slot.memory.data() + first, count);
  slot.copied = end;
}

void slot_store::release(reader who, std::uint64_t number) {
  for (auto &slot : slots_)
    if (slot.memory.number() == number && slot.held_by.erase(who) == 1) {
      tidy();
      return;
    }
  throw wire_error("shared memory was given back that was not held");
}

void slot_store::forget(reader who) {
  for (auto &slot : slots_)
    if (slot.held_by.erase(who) == 1) slot.lost = true;
  tidy();
}

std::size_t slot_store::held(reader who) const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [&](const entry &slot) { return slot.held_by.contains(who); }));
}

void slot_store::drop_content_except(const std::set<const version_source *> &kept) {
  for (auto &slot : slots_)
    if (!kept.contains(slot.content.get())) slot.content = nullptr;
  tidy();
}

/// Keeps one free slot for the next version and frees the memory of the others.
void slot_store::tidy() {
  std::size_t free = 0;
  std::erase_if(slots_, [&](const entry &slot) {
    const bool unused = !slot.content && slot.held_by.empty();
    return unused && (slot.lost || ++free > 1);
  });
}

}  // namespace slipstream::wire

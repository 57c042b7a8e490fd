#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>

#include "runtime/wire/version_source.hpp"

// Memory that processes of one machine share: files without a name (memfd), so that nothing is left behind
// whoever dies. The server writes a version into a slot once; receivers map the slot and read it where it
// lies.
namespace slipstream::wire {

/// A piece of memory that other processes can map, but neither write to nor cut short.
class shared_slot {
 public:
  /// Throws run_error where the system has no more memory for it.
  shared_slot(std::uint64_t number, std::size_t bytes);
  ~shared_slot();
  shared_slot(const shared_slot &) = delete;
  shared_slot &operator=(const shared_slot &) = delete;

  std::uint64_t number() const { return number_; }
  std::size_t bytes() const { return bytes_; }
  int descriptor() const { return descriptor_; }
  float *data() { return static_cast<float *>(data_); }

 private:
  std::uint64_t number_;
  std::size_t bytes_;
  int descriptor_;
  void *data_;
};

/// A slot of another process, mapped read-only.
class mapped_slot {
 public:
  /// Takes ownership of the descriptor. Throws wire_error where it is not memory of at least that size that
  /// nobody can shorten.
  mapped_slot(int descriptor, std::size_t bytes);
  ~mapped_slot();
  mapped_slot(const mapped_slot &) = delete;
  mapped_slot &operator=(const mapped_slot &) = delete;

  std::size_t bytes() const { return bytes_; }
  void *data() const { return data_; }

 private:
  std::size_t bytes_;
  void *data_;
};

/// The slots of a server. A slot is written again only when every reader has given it back. When a reader
/// went away without giving it back, the slot is given up instead, because somebody may still be reading
/// there.
class slot_store {
 public:
  using reader = const void *;

  struct entry {
    entry(std::uint64_t number, std::size_t bytes) : memory(number, bytes) {}
    shared_slot memory;
    source_ptr content;        ///< the version that it holds; null: none
    std::int64_t copied = 0;   ///< chunks that are there
    std::set<reader> held_by;  ///< readers that were offered it and have not given it back
    bool lost = false;         ///< a reader went away with it
    bool whole() const { return copied == content->chunks(); }
  };

  /// The slot of a version: the one that has it, a free one, or a new one.
  entry &of(const source_ptr &content);
  /// Writes some more chunks of the version, with their values rounded as a stream would round them.
  static void copy_some(entry &slot, std::int64_t chunks);
  /// Throws wire_error where the reader does not hold the slot.
  void release(reader who, std::uint64_t number);
  void forget(reader who);
  std::size_t held(reader who) const;
  /// Forgets which version each slot holds, except for versions in `kept`.
  void drop_content_except(const std::set<const version_source *> &kept);
  std::size_t size() const { return slots_.size(); }

 private:
  void tidy();

  std::list<entry> slots_;
  std::uint64_t next_ = 0;
};

}  // namespace slipstream::wire

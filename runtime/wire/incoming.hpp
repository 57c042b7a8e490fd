#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/wire/shared_memory.hpp"
#include "runtime/wire/version_source.hpp"

namespace slipstream::wire {

/// What a receiver has of one model: the newest whole version, the one that is arriving, and memory to use
/// again.
class incoming {
 public:
  /// `passes_on`: others may read the newest whole version at any time. `spool`: the folder that versions
  /// arrive in; where it is empty, they arrive in memory.
  incoming(std::int64_t elements, std::int64_t max_elements, bool passes_on, std::string spool)
      : elements_(elements), max_elements_(max_elements), passes_on_(passes_on), spool_(std::move(spool)) {}

  enum class verdict { take, decline };
  /// Decides what to do with an offer. Throws run_error where the model is of another size, wire_error where
  /// the offer breaks a rule (an older version, an unreasonable size).
  verdict judge(const offer_text &offer, std::int64_t version) const;
  /// Returns the version that the offer begins or continues. `resumed` becomes the number of chunks that are
  /// there from a broken transfer.
  source_ptr begin(const offer_text &offer, std::int64_t version, std::int64_t &resumed);
  /// Returns what to ask for: it states the chunks that are there, and a version to compare with.
  want_text want() const;
  /// Makes the arriving version, which is whole now, the newest one.
  void finish();
  /// Notes that the newest version came through shared memory. `kept` holds it, and is null for a leaf.
  void finish(const unique_id &origin, std::int64_t version, source_ptr kept);
  /// Gives the arriving version up; it is not taken later either.
  void cancel();
  /// Gives the arriving version up, but takes it when it is offered again.
  void drop() { partial_ = base_ = nullptr; }

  const source_ptr &partial() const { return partial_; }
  /// The version whose chunks the arriving one may share; null: none.
  const source_ptr &base() const { return base_; }
  /// The newest whole version; null before there is one, and while the next one is written over it.
  const source_ptr &newest() const { return newest_; }
  held_version held() const;

 private:
  void remember(const unique_id &origin, std::int64_t version);
  at::Tensor room(std::int64_t elements);
  std::shared_ptr<spool_file> spooled(std::int64_t elements);
  bool forgotten(const source_ptr &version) const;

  std::int64_t elements_, max_elements_;
  bool passes_on_;
  std::string spool_;
  bool spool_full_ = false;  ///< the full disk is reported once, until there is room again
  source_ptr partial_, base_, newest_;
  unique_id origin_{};
  std::int64_t version_ = -1;
  unique_id cancelled_origin_{};
  std::int64_t cancelled_version_ = -1;
  std::deque<unique_id> left_;  ///< origins of servers that a newer server has followed: a late relay may
                                ///< still have their versions
  std::vector<at::Tensor> pool_;
};

/// Slots that nobody here reads any more, on their way to the receiver's thread. They wait here because any
/// thread may free a tensor, even when the receiver is gone.
class slot_returns {
 public:
  /// `wake` is called, by any thread, when there is something to take, and never after close().
  explicit slot_returns(std::function<void()> wake) : wake_(std::move(wake)) {}
  void give(std::uint64_t connection, std::uint64_t slot);
  /// Returns the pairs (connection, slot) that wait here.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> take();
  void close();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> given_;
};

/// A tensor over a slot's memory, float32 [elements]; when the last one that shares it has gone, the slot is
/// given back.
at::Tensor mapped_tensor(std::shared_ptr<const mapped_slot> memory, std::int64_t elements,
                         std::shared_ptr<slot_returns> returns, std::uint64_t connection, std::uint64_t slot);

}  // namespace slipstream::wire

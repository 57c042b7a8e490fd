#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace slipstream {

/// A c10d store that several threads may use at once. Newer versions of LibTorch demand a function that gives
/// another thread a store of its own (`clone`); older ones do not know it, so it cannot be marked as an
/// override.
class shared_store : public c10d::Store {
 public:
  virtual c10::intrusive_ptr<c10d::Store> clone() {
    return c10::intrusive_ptr<c10d::Store>::unsafe_reclaim_from_nonowning(this);
  }
};

}  // namespace slipstream

#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace slipstream::wire {

/// A version's memory on disk: a file without a name, so that nothing is left behind whoever dies. Its
/// contents are no memory of this process until somebody looks at them.
class spool_file {
 public:
  /// Throws run_error where the disk has no room for it.
  spool_file(const std::string &folder, std::size_t bytes);
  ~spool_file();
  spool_file(const spool_file &) = delete;
  spool_file &operator=(const spool_file &) = delete;

  /// Throw run_error where the disk fails.
  void write(std::size_t at, const void *from, std::size_t size);
  void read(std::size_t at, void *to, std::size_t size) const;
  /// The whole file's contents, read-only.
  void *data() const { return data_; }

 private:
  std::string folder_;
  std::size_t bytes_;
  int descriptor_;
  void *data_;
};

/// A read-only tensor over the file, float32 [elements].
at::Tensor spooled_tensor(std::shared_ptr<const spool_file> file, std::int64_t elements);

}  // namespace slipstream::wire

#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

namespace slipstream::wire {

/// The connections that are not authenticated yet: which one may begin its handshake next, and which one is
/// closed when there are too many. Addresses take turns, so an address with many connections delays its own
/// first. A plain value: it uses neither sockets nor clocks.
class strangers {
 public:
  using time = std::chrono::steady_clock::time_point;

  /// At most `most` at once, and `turns` a second (a fifth of that in one moment).
  strangers(std::size_t most, double turns);

  /// One more, with a number above all others'. Answers with the number of the one that has to go for it.
  std::optional<std::uint64_t> come(std::uint64_t number, const boost::asio::ip::address &from);
  /// It has said all that it takes to begin, and waits for its turn.
  void wait(std::uint64_t number);
  void leave(std::uint64_t number) { here_.erase(number); }
  /// The one whose turn it is now, if anybody waits and a turn is left.
  std::optional<std::uint64_t> next(time now);
  /// When a turn will be left, where somebody waits for one.
  std::optional<time> next_turn() const;
  /// The one that can be spared first, but for `spared`: of those who came least far, of the address that
  /// most of them have, the oldest.
  std::optional<std::uint64_t> worst(std::uint64_t spared = 0) const;
  std::size_t size() const { return here_.size(); }

 private:
  enum class stage { silent, waiting, proving };
  struct row {
    boost::asio::ip::address from;
    stage at = stage::silent;
  };

  void refill(time now);

  const std::size_t most_;
  const double rate_, most_turns_;
  std::map<std::uint64_t, row> here_;
  std::map<boost::asio::ip::address, std::uint64_t> served_;  ///< number of the last turn that it had
  std::uint64_t turns_ = 0;
  double left_;
  std::optional<time> filled_;
};

}  // namespace slipstream::wire

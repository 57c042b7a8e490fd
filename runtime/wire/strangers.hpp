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

  /// Adds a connection, whose number must be above all others'. Returns the number of the connection that has
  /// to go for it, if one has to.
  std::optional<std::uint64_t> come(std::uint64_t number, const boost::asio::ip::address &from);
  /// Notes that a connection has sent all that a handshake begins with, and waits for its turn.
  void wait(std::uint64_t number);
  void leave(std::uint64_t number) { here_.erase(number); }
  /// Returns the connection whose turn it is now, if one waits and a turn is left.
  std::optional<std::uint64_t> next(time now);
  /// Returns when the next turn will be left, if a connection waits for one.
  std::optional<time> next_turn() const;
  /// Returns the connection that can be closed first, but never `spared`. Of those that have come least far,
  /// it takes the address that most of them have, and the oldest one from there.
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
  std::map<boost::asio::ip::address, std::uint64_t>
      served_;  ///< by address: the number of the last turn that it had
  std::uint64_t turns_ = 0;
  double left_;
  std::optional<time> filled_;
};

}  // namespace slipstream::wire

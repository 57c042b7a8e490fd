#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runtime/wire/receiver.hpp"

namespace slipstream::wire {

/// A receiver's connection to a parent.
class parent_connection : public std::enable_shared_from_this<parent_connection> {
 public:
  parent_connection(receiver &owner, wire_stream::socket_variant socket, std::uint64_t number);

  wire_stream &stream() { return stream_; }
  std::uint64_t number() const { return number_; }
  /// Sends hello and returns the server's answer. Throws wire_refusal with the server's reason.
  task<welcome_text> greet();
  task<void> join(welcome_text welcome, unique_id token);
  /// Receives until the connection ends, and then throws the reason.
  task<void> receive();
  void watch();
  /// Ends the transfer of this model, if it is the one under way.
  void cancel(const std::string &model);
  /// Tells the server that nobody here reads the slot any more.
  void release(std::uint64_t slot) { say(frame_kind::release, slot); }
  void close(const std::string &why);

 private:
  task<void> write();
  task<void> heard_chunk(frame_head head);
  task<void> skip(std::size_t size);
  void heard_offer(const frame_head &head, const std::string &payload);
  void take_mapped(const offer_text &offer, std::int64_t version);
  void heard_same(const frame_head &head, const std::string &payload);
  void heard_cancel(const frame_head &head, const std::string &payload);
  void end_if_whole();
  void say(frame_kind kind, std::uint64_t argument = 0, std::string payload = {});

  receiver &owner_;
  wire_stream stream_;
  wake_up woken_;
  std::uint64_t number_;
  bool joined_ = false;
  std::deque<small_frame> outgoing_;
  incoming *model_ = nullptr;  ///< the model of the transfer under way; null: none
  bool ignoring_ = false;      ///< whether what still arrives of a version that was given up is dropped
  wire_clock::time_point since_;
  std::vector<std::uint16_t> staging_;
};

}  // namespace slipstream::wire

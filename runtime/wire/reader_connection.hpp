#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/wire/sender.hpp"

namespace slipstream::wire {

/// A sender's connection to one reader. It runs two coroutines: one reads what the reader says, the other
/// writes.
class reader_connection : public std::enable_shared_from_this<reader_connection> {
 public:
  reader_connection(sender &owner, wire_stream::socket_variant socket, std::uint64_t number);
  void start();
  void close(const std::string &why) { stream_.close(why); }
  void wake() { woken_.set(); }

 private:
  enum class stage { greeting, idle, offered, sending, finishing };

  task<void> run();
  task<void> greet();
  task<void> read();
  task<void> write();
  task<void> write_small();
  source_ptr next_source();
  task<void> offer(source_ptr source);
  task<bool> put_in_slot(source_ptr source);
  task<bool> send_some();
  task<void> send_same();
  void heard(const frame_head &head, const std::string &payload);
  void heard_want(const frame_head &head, const std::string &payload);
  bool wanted(std::int64_t chunk) const;
  bool same_as_base(std::int64_t chunk, std::uint64_t sum) const;
  bool is_current(const frame_head &head, const std::string &model) const;
  void to_idle();
  void say(frame_kind kind, std::uint64_t argument = 0, std::string payload = {});

  sender &owner_;
  wire_stream stream_;
  wake_up woken_;
  std::uint64_t number_;
  stage stage_ = stage::greeting;
  std::deque<small_frame> outgoing_;
  std::string name_;
  std::map<std::string, held_version>
      models_;  ///< the models that it asked for, each with the newest version that it has or was offered
  std::string last_model_;  ///< the model that was offered last: the others come first now
  source_ptr current_;      ///< the version that is offered, being sent or being finished
  held_version before_;     ///< the version that the reader had of that model before
  want_text want_;
  std::shared_ptr<const chunk_table> base_;  ///< of the version that it has; null: nothing to compare with
  std::int64_t next_chunk_ = 0, same_from_ = 0, same_count_ = 0;
  std::vector<std::uint16_t> staging_;
};

}  // namespace slipstream::wire

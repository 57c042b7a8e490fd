#include "runtime/wire/reader_connection.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipstream::wire {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_join = 1 << 16;
constexpr std::size_t longest_want = (std::size_t{1} << 20) + 64;  // bytes: the bitmap of 8 M chunks
constexpr std::size_t most_replies = 64;
constexpr std::size_t most_slots = 4;       // slots that one reader may hold at once
constexpr std::int64_t chunks_a_turn = 16;  // chunks that are worked on before other work has its turn
constexpr std::size_t most_models = 64;

}  // namespace

reader_connection::reader_connection(sender &owner, wire_stream::socket_variant socket, std::uint64_t number)
    : owner_(owner), stream_(std::move(socket), owner.limits_), woken_(stream_.executor()), number_(number) {}

void reader_connection::start() {
  const auto self = shared_from_this();
  stream_.set_deadline(owner_.limits_.handshake, "the other side took too long to say who it is");
  asio::co_spawn(
      stream_.executor(), [self] { return self->run(); }, asio::detached);
  asio::co_spawn(
      stream_.executor(),
      [self] {
        return self->stream_.watch([raw = self.get()] {
          if (raw->stage_ != stage::greeting) raw->say(frame_kind::ping);
        });
      },
      asio::detached);
}

task<void> reader_connection::run() {
  bool refused = false;
  const auto self = shared_from_this();
  try {
    co_await greet();
    asio::co_spawn(
        stream_.executor(), [self] { return self->write(); }, asio::detached);
    co_await read();
  } catch (const wire_closed &problem) {
    refused = stage_ == stage::greeting && stream_.closed();  // we closed it, because it took too long
    stream_.close(problem.what());
  } catch (const std::exception &problem) {
    refused = true;
    stream_.close(problem.what());
  }
  to_idle();
  woken_.set();
  owner_.count([&](auto &all) {
    all.refused += refused ? 1 : 0;
    all.readers.erase(number_);
  });
  owner_.ended(this);
}

/// Tells the reader who we are and hears who it is. A reader that sends nothing sensible in time has cost us
/// one small buffer.
task<void> reader_connection::greet() {
  const auto expect = [](const frame_head &head, frame_kind kind) {
    if (head.kind != kind) throw wire_error("a weight stream does not begin like that");
  };
  const auto hello = co_await stream_.read_head();
  expect(hello, frame_kind::hello);
  const auto greeting = co_await stream_.read_payload(hello, 64);
  std::string mismatch;
  unique_id theirs{};
  try {
    theirs = unpack_hello(greeting);
  } catch (const wire_refusal &problem) {
    mismatch = problem.what();
  }
  if (!mismatch.empty()) {
    co_await stream_.write(frame_kind::refuse, 0, mismatch);
    throw wire_error(mismatch);
  }
  welcome_text welcome;
  welcome.nonce = random_id();
  welcome.machine = owner_.machine_;
  if (!stream_.local() && !owner_.local_name_.empty())
    welcome.local_name = owner_.local_name_, welcome.token = owner_.token_;
  const auto answer = pack_welcome(welcome, theirs);
  co_await stream_.write(frame_kind::welcome, 0, answer);

  const auto joining = co_await stream_.read_head();
  expect(joining, frame_kind::join);
  const auto text = co_await stream_.read_payload(joining, longest_join);
  auto join = unpack_join(text, welcome.nonce);
  if (stream_.local() && join.token != owner_.token_)
    throw wire_error("shared memory is for those who were told");
  if (join.models.size() > most_models) throw wire_error("too many models");
  name_ = stream_.secured() ? stream_.peer_name() : join.name;
  models_ = std::move(join.models);
  stream_.clear_deadline();
  stage_ = stage::idle;
  owner_.count([&](auto &all) { all.readers[number_].name = name_; });
}

task<void> reader_connection::read() {
  for (;;) {
    const auto head = co_await stream_.read_head();
    const auto payload =
        co_await stream_.read_payload(head, head.kind == frame_kind::want ? longest_want : longest_text);
    heard(head, payload);
    woken_.set();
  }
}

void reader_connection::heard(const frame_head &head, const std::string &payload) {
  switch (head.kind) {
    case frame_kind::ping:
      return;
    case frame_kind::want:
      return heard_want(head, payload);
    case frame_kind::release:
      return owner_.slots_.release(this, head.argument);
    case frame_kind::cancel:
      if (is_current(head, payload)) to_idle();
      return;
    case frame_kind::done:
      if (!is_current(head, payload)) return;
      owner_.count([&](auto &all) {
        all.readers[number_].versions[payload] = static_cast<std::int64_t>(head.argument);
        all.shared += stream_.local() ? 1 : 0;
      });
      return to_idle();
    case frame_kind::refuse:
      throw wire_closed("the reader has gone: " + payload);
    default:
      throw wire_error("a reader does not say that");
  }
}

bool reader_connection::is_current(const frame_head &head, const std::string &model) const {
  return current_ && current_->value().model == model &&
         static_cast<std::uint64_t>(current_->value().version) == head.argument;
}

void reader_connection::heard_want(const frame_head &head, const std::string &payload) {
  if (stage_ != stage::offered || static_cast<std::uint64_t>(current_->value().version) != head.argument)
    throw wire_error("a reader wants what it was not offered");
  want_ = unpack_want(payload);
  const auto chunks = static_cast<std::size_t>(current_->chunks());
  if (!want_.have.empty() && want_.have.size() != (chunks + 7) / 8)
    throw wire_error("a reader has other chunks than there are");
  base_ = owner_.table_of(current_->value().model, current_->origin(), want_.base);
  if (base_ && base_->sums.size() != chunks) base_ = nullptr;
  next_chunk_ = same_count_ = 0;
  stage_ = stage::sending;
}

void reader_connection::to_idle() {
  current_ = nullptr;
  base_ = nullptr;
  same_count_ = 0;
  if (stage_ == stage::greeting) return;
  stage_ = stage::idle;
  stream_.clear_deadline();
}

void reader_connection::say(frame_kind kind, std::uint64_t argument, std::string payload) {
  if (outgoing_.size() >= most_replies) return stream_.close("the other side takes nothing");
  outgoing_.push_back({kind, argument, std::move(payload)});
  woken_.set();
}

task<void> reader_connection::write_small() {
  while (!outgoing_.empty()) {
    const auto frame = std::move(outgoing_.front());
    outgoing_.pop_front();
    co_await stream_.write(frame.kind, frame.argument, frame.payload);
  }
}

task<void> reader_connection::write() {
  try {
    while (!stream_.closed()) {
      co_await write_small();
      bool worked = false;
      if (stage_ == stage::idle) {
        if (auto next = next_source()) {
          co_await offer(std::move(next));
          worked = true;
        }
      } else if (stage_ == stage::sending) {
        worked = co_await send_some();
      }
      if (!worked && outgoing_.empty()) co_await woken_.wait();
    }
  } catch (const std::exception &problem) {
    stream_.close(problem.what());
  }
}

/// Returns the newest version that this reader does not have. Its models take turns.
source_ptr reader_connection::next_source() {
  const auto missing = [this](const std::string &model, const held_version &held) -> source_ptr {
    const auto found = owner_.newest_.find(model);
    if (found == owner_.newest_.end() || found->second->cancelled()) return nullptr;
    const auto &newest = found->second;
    if (held.origin == newest->origin() && held.version >= newest->value().version) return nullptr;
    if (stream_.local() && (!newest->whole() || owner_.slots_.held(this) >= most_slots)) return nullptr;
    return newest;
  };
  const auto middle = models_.upper_bound(last_model_);
  for (auto at = middle; at != models_.end(); ++at)
    if (auto found = missing(at->first, at->second)) return found;
  for (auto at = models_.begin(); at != middle; ++at)
    if (auto found = missing(at->first, at->second)) return found;
  return nullptr;
}

task<void> reader_connection::offer(source_ptr source) {
  const auto &value = source->value();
  if (stream_.local()) {
    const bool there = co_await put_in_slot(source);
    if (!there || stream_.closed()) co_return;
  }
  offer_text text;
  text.model = value.model, text.origin = source->origin(), text.last = value.last;
  text.elements = static_cast<std::uint64_t>(source->elements());
  text.chunk_bytes = static_cast<std::uint32_t>(source->chunk_bytes());
  text.type = static_cast<std::uint8_t>(source->type());
  int descriptor = -1;
  if (!stream_.local()) source->sum_ahead(owner_.sums_);
  if (stream_.local()) {
    auto &slot = owner_.slots_.of(source);
    slot.held_by.insert(this);
    text.mapped = true, text.slot = slot.memory.number(), descriptor = slot.memory.descriptor();
  }
  auto &held = models_.at(value.model);
  before_ = held;
  held.origin = source->origin(), held.version = value.version;
  last_model_ = value.model;
  current_ = source;
  stage_ = stream_.local() ? stage::finishing : stage::offered;
  stream_.set_deadline(owner_.limits_.transfer, "a transfer took too long");
  const auto payload = pack_offer(text);
  co_await stream_.write(frame_kind::offer, static_cast<std::uint64_t>(value.version), payload, descriptor);
}

/// Writes the version into shared memory, unless another reader has made us do so already. Returns false when
/// a newer version came meanwhile.
task<bool> reader_connection::put_in_slot(source_ptr source) {
  for (;;) {
    const auto newest = owner_.newest_.find(source->value().model);
    if (newest == owner_.newest_.end() || newest->second != source || stream_.closed()) co_return false;
    slot_store::entry *slot = nullptr;
    try {
      slot = &owner_.slots_.of(source);
    } catch (const std::exception &) {
      owner_.local_name_.clear();  // from now on all readers come over TCP
      throw;
    }
    if (slot->whole()) co_return true;
    if (source->chunks() > chunks_a_turn) step_back();
    slot_store::copy_some(*slot, chunks_a_turn);
    co_await asio::post(stream_.executor(), asio::use_awaitable);
  }
}

bool reader_connection::wanted(std::int64_t chunk) const {
  const auto i = static_cast<std::size_t>(chunk);
  return want_.have.empty() || (want_.have[i / 8] >> i % 8 & 1) == 0;
}

bool reader_connection::same_as_base(std::int64_t chunk, std::uint64_t sum) const {
  const auto i = static_cast<std::size_t>(chunk);
  return base_ && base_->known[i] && base_->sums[i] == sum;
}

/// Sends some chunks of the version under way. Returns false when the next chunk is not here yet.
task<bool> reader_connection::send_some() {
  const source_ptr source = current_;
  if (source->cancelled()) {
    const auto &value = source->value();
    models_.at(value.model) = before_;
    to_idle();
    say(frame_kind::cancel, static_cast<std::uint64_t>(value.version), value.model);
    co_return true;
  }
  bool here = true;
  for (std::int64_t looked_at = 0; next_chunk_ < source->chunks() && looked_at < chunks_a_turn; ++looked_at) {
    const auto chunk = next_chunk_;
    here = !wanted(chunk) || source->has(chunk);
    if (!here) break;
    const bool left_out = !wanted(chunk);
    const void *bytes = left_out ? nullptr : source->read(chunk, staging_);
    const auto sum = left_out ? 0 : source->sum(chunk, bytes);
    if (!left_out && same_as_base(chunk, sum)) {
      if (same_count_++ == 0) same_from_ = chunk;
      ++next_chunk_;
      continue;
    }
    co_await send_same();
    if (current_ != source) co_return true;  // the reader has cancelled meanwhile
    ++next_chunk_;
    if (left_out) continue;
    const auto size = source->bytes(chunk);
    step_back();
    owner_.count([&](auto &all) { all.bytes += static_cast<std::int64_t>(size), ++all.chunks; });
    co_await stream_.write(frame_kind::chunk, static_cast<std::uint64_t>(chunk), bytes, size, sum);
    if (current_ != source) co_return true;
    break;  // small frames have their turn now
  }
  co_await send_same();
  if (current_ == source && next_chunk_ == source->chunks()) stage_ = stage::finishing;
  co_return here;
}

task<void> reader_connection::send_same() {
  if (same_count_ == 0) co_return;
  const auto payload = pack_same(static_cast<std::uint32_t>(same_count_));
  owner_.count([&](auto &all) { all.same += same_count_; });
  same_count_ = 0;
  co_await stream_.write(frame_kind::same, static_cast<std::uint64_t>(same_from_), payload);
}

}  // namespace slipstream::wire

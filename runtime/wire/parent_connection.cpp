#include "runtime/wire/parent_connection.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "models/error.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_outgoing = 256;
constexpr std::uint32_t longest_chunk = 1 << 24;

}  // namespace

parent_connection::parent_connection(receiver &owner, wire_stream::socket_variant socket,
                                     std::uint64_t number)
    : owner_(owner),
      stream_(std::move(socket), owner.options_.limits),
      woken_(stream_.executor()),
      number_(number) {}

void parent_connection::watch() {
  const auto self = shared_from_this();
  stream_.set_deadline(owner_.options_.limits.handshake, "the server took too long to answer");
  asio::co_spawn(
      stream_.executor(),
      [self] {
        return self->stream_.watch([raw = self.get()] {
          if (raw->joined_) raw->say(frame_kind::ping);
        });
      },
      asio::detached);
}

task<welcome_text> parent_connection::greet() {
  const auto nonce = random_id();
  const auto hello = pack_hello(nonce);
  co_await stream_.write(frame_kind::hello, 0, hello);
  const auto head = co_await stream_.read_head();
  const auto payload = co_await stream_.read_payload(head, longest_text);
  if (head.kind == frame_kind::refuse) throw wire_refusal(payload);
  if (head.kind != frame_kind::welcome) throw wire_error("this is no server of weights");
  co_return unpack_welcome(payload, nonce);
}

task<void> parent_connection::join(welcome_text welcome, unique_id token) {
  join_text text;
  text.name = owner_.options_.name;
  text.token = token;
  for (const auto &[name, model] : owner_.models_) text.models.emplace(name, model.held());
  const auto payload = pack_join(text, welcome.nonce);
  co_await stream_.write(frame_kind::join, 0, payload);
  stream_.clear_deadline();
  joined_ = true;
}

task<void> parent_connection::receive() {
  const auto self = shared_from_this();
  asio::co_spawn(
      stream_.executor(), [self] { return self->write(); }, asio::detached);
  for (;;) {
    const auto head = co_await stream_.read_head();
    if (head.kind == frame_kind::chunk) {
      co_await heard_chunk(head);
      continue;
    }
    const auto payload = co_await stream_.read_payload(head, longest_text);
    switch (head.kind) {
      case frame_kind::ping:
        break;
      case frame_kind::offer:
        heard_offer(head, payload);
        break;
      case frame_kind::same:
        heard_same(head, payload);
        break;
      case frame_kind::cancel:
        heard_cancel(head, payload);
        break;
      case frame_kind::refuse:
        throw wire_refusal(payload);
      default:
        throw wire_error("a server does not say that");
    }
  }
}

void parent_connection::heard_offer(const frame_head &head, const std::string &payload) {
  const auto offer = unpack_offer(payload);
  const auto version = static_cast<std::int64_t>(head.argument);
  const auto found = owner_.models_.find(offer.model);
  if (model_ || found == owner_.models_.end()) throw wire_error("an offer that was not asked for");
  ignoring_ = false;
  since_ = wire_clock::now();
  auto &model = found->second;
  if (model.judge(offer, version) == incoming::verdict::decline) {
    if (const int descriptor = stream_.take_descriptor(); descriptor >= 0) ::close(descriptor);
    if (offer.mapped) say(frame_kind::release, offer.slot);
    return say(frame_kind::cancel, head.argument, offer.model);
  }
  if (offer.mapped) return take_mapped(offer, version);
  if (model.partial() && owner_.relay_ && !model.partial()->continues(offer, version))
    owner_.relay_->withdraw(model.partial(), model.newest());
  std::int64_t resumed = 0;
  const bool begun = !(model.partial() && model.partial()->continues(offer, version));
  const auto source = model.begin(offer, version, resumed);
  if (owner_.relay_ && begun) owner_.relay_->offer(source);
  owner_.count([&](auto &all) { all.resumed += resumed; });
  model_ = &model;
  stream_.set_deadline(owner_.options_.limits.transfer, "a transfer took too long");
  say(frame_kind::want, head.argument, pack_want(model.want()));
}

void parent_connection::take_mapped(const offer_text &offer, std::int64_t version) {
  if (!stream_.local()) throw wire_error("shared memory from another machine");
  const auto bytes = static_cast<std::size_t>(offer.elements) * sizeof(float);
  const int descriptor = stream_.take_descriptor();
  // The slot is mapped anew each time: a mapping that is kept for later counts as memory of this process, and
  // keeps alive what the server has given back.
  weight_version value{
      offer.model, version,
      mapped_tensor(std::make_shared<mapped_slot>(descriptor, bytes),
                    static_cast<std::int64_t>(offer.elements), owner_.returns_, number_, offer.slot),
      offer.last};
  auto &model = owner_.models_.at(offer.model);
  source_ptr kept;
  if (owner_.relay_) {
    if (model.partial()) owner_.relay_->withdraw(model.partial(), nullptr);
    kept = std::make_shared<version_source>(value, offer.origin, static_cast<wire_type>(offer.type),
                                            offer.chunk_bytes, true);
    owner_.relay_->offer(kept);
  }
  model.finish(offer.origin, version, std::move(kept));
  owner_.count([](auto &all) { ++all.shared; });
  say(frame_kind::done, static_cast<std::uint64_t>(version), offer.model);
  owner_.deliver(std::move(value), since_);
}

task<void> parent_connection::heard_chunk(frame_head head) {
  if (head.length > longest_chunk) throw wire_error("a chunk is longer than it may be");
  step_back();
  if (!model_) {
    if (!ignoring_) throw wire_error("a chunk that was not asked for");
    co_await skip(head.length);
    co_return;
  }
  const auto source = model_->partial();
  const auto chunk = static_cast<std::int64_t>(head.argument);
  if (chunk < 0 || chunk >= source->chunks() || source->has(chunk) || source->bytes(chunk) != head.length)
    throw wire_error("a chunk that was not asked for");
  void *to = source->room(chunk, staging_);
  const auto sum = payload_checksum(head);
  if (co_await stream_.read_summed(to, head.length) != sum) throw wire_error("a chunk is damaged");
  if (!model_ || model_->partial() != source) co_return;  // the version was given up while it arrived
  source->accept(chunk, sum, staging_);
  owner_.count([&](auto &all) { all.bytes += head.length, ++all.chunks; });
  end_if_whole();
}

task<void> parent_connection::skip(std::size_t size) {
  std::vector<char> nowhere(std::min<std::size_t>(size, 1 << 16));
  while (size > 0) {
    const auto part = std::min(size, nowhere.size());
    co_await stream_.read(nowhere.data(), part);
    size -= part;
  }
}

void parent_connection::heard_same(const frame_head &head, const std::string &payload) {
  const auto count = unpack_same(payload);
  if (!model_) {
    if (!ignoring_) throw wire_error("chunks that were not asked for");
    return;
  }
  const auto source = model_->partial();
  const auto first = head.argument, chunks = static_cast<std::uint64_t>(source->chunks());
  if (count == 0 || first >= chunks || count > chunks - first || !model_->base())
    throw wire_error("chunks that are not there are said to be the same");
  for (auto chunk = static_cast<std::int64_t>(first); chunk < static_cast<std::int64_t>(first + count);
       ++chunk) {
    if (source->has(chunk)) throw wire_error("a chunk came twice");
    source->copy(chunk, *model_->base());
  }
  owner_.count([&](auto &all) { all.same += count; });
  end_if_whole();
}

void parent_connection::end_if_whole() {
  const auto source = model_->partial();
  if (owner_.relay_) owner_.relay_->wake();
  if (!source->whole()) return;
  auto &model = *model_;
  model_ = nullptr;
  stream_.clear_deadline();
  model.finish();
  say(frame_kind::done, static_cast<std::uint64_t>(source->value().version), source->value().model);
  owner_.deliver(source->value(), since_);
}

void parent_connection::heard_cancel(const frame_head &head, const std::string &payload) {
  if (!model_) return;  // the version was whole before the cancel came
  const auto source = model_->partial();
  if (source->value().model != payload ||
      static_cast<std::uint64_t>(source->value().version) != head.argument)
    throw wire_error("a transfer was cancelled that was not under way");
  if (owner_.relay_) owner_.relay_->withdraw(source, model_->newest());
  model_->drop();
  model_ = nullptr;
  stream_.clear_deadline();
}

void parent_connection::cancel(const std::string &name) {
  const auto found = owner_.models_.find(name);
  if (found == owner_.models_.end() || model_ != &found->second) return;
  say(frame_kind::cancel, static_cast<std::uint64_t>(model_->partial()->value().version), name);
  model_ = nullptr;
  ignoring_ = true;
  stream_.clear_deadline();
}

void parent_connection::say(frame_kind kind, std::uint64_t argument, std::string payload) {
  if (outgoing_.size() >= longest_outgoing) return stream_.close("the server takes nothing");
  outgoing_.push_back({kind, argument, std::move(payload)});
  woken_.set();
}

task<void> parent_connection::write() {
  try {
    while (!stream_.closed()) {
      while (!outgoing_.empty()) {
        const auto frame = std::move(outgoing_.front());
        outgoing_.pop_front();
        co_await stream_.write(frame.kind, frame.argument, frame.payload);
      }
      co_await woken_.wait();
    }
  } catch (const std::exception &problem) {
    stream_.close(problem.what());
  }
}

void parent_connection::close(const std::string &why) {
  stream_.close(why);
  woken_.set();
}

}  // namespace slipstream::wire

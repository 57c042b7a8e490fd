#include "runtime/wire/gate.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "models/error.hpp"
#include "runtime/wire/dial.hpp"
#include "runtime/wire/front.hpp"
#include "runtime/wire/pump.hpp"
#include "runtime/wire/stream.hpp"

namespace slipstream::wire {

namespace asio = boost::asio;

namespace {

const std::string link_words = "slipstream link\n";  ///< the first bytes that whoever connects has to send

/// A descriptor until it has an owner.
class loose_end {
 public:
  explicit loose_end(int descriptor = -1) : descriptor_(descriptor) {}
  ~loose_end() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  loose_end(loose_end &&other) noexcept : descriptor_(other.release()) {}
  loose_end &operator=(loose_end &&other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

std::pair<loose_end, loose_end> local_pair(int kind) {
  int ends[2];
  if (::socketpair(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw run_error(std::string("no pair of sockets can be made: ") + std::strerror(errno));
  for (const int end : ends) {
    const int bytes = static_cast<int>(pump_bytes / 2);  // the kernel doubles it
    (void)::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  }
  return {loose_end(ends[0]), loose_end(ends[1])};
}

/// A message that carries one descriptor.
struct envelope {
  envelope() {
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
  }
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
};

void send_arrival(int door, int descriptor) {
  envelope letter;
  cmsghdr *rights = CMSG_FIRSTHDR(&letter.message);
  rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  if (::sendmsg(door, &letter.message, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    throw run_error(std::string("a connection cannot be handed on: ") + std::strerror(errno));
}

}  // namespace

int take_arrival(int arrivals) {
  envelope letter;
  if (::recvmsg(arrivals, &letter.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr *rights = CMSG_FIRSTHDR(&letter.message);
  int descriptor = -1;
  if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
    std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return descriptor;
}

struct link_gate::parts {
  explicit parts(const wire_security &security)
      : identity(identity_of(security, "links")), work(asio::make_work_guard(io)) {}

  /// A token that counts one open connection; the gate can end once all tokens are released.
  std::shared_ptr<void> counted() {
    const std::lock_guard lock(mutex);
    ++links;
    return std::shared_ptr<void>(this, [](void *counter) {
      auto &self = *static_cast<parts *>(counter);
      const std::lock_guard done(self.mutex);
      --self.links;
      self.fewer.notify_all();
    });
  }

  /// Leads a stream into a pair of local sockets, and returns the end of the pair that is for others.
  loose_end lead(known_stream stream, const std::string &said) {
    auto [ours, theirs] = local_pair(SOCK_STREAM);
    if (!said.empty() &&
        ::send(ours.get(), said.data(), said.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(said.size()))
      throw run_error(std::string("a pair of sockets takes nothing: ") + std::strerror(errno));
    local_protocol::socket local(io, local_protocol(), ours.get());
    ours.release();
    std::visit([&](auto &far) { join_streams(std::move(far), std::move(local), pump_bytes, counted()); },
               stream);
    return std::move(theirs);
  }

  const std::shared_ptr<tls_identity> identity;
  std::mutex mutex;  ///< guards the count, which the last connections need while the context ends
  std::condition_variable fewer;
  int links = 0;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::list<front> fronts;  ///< used by the gate's thread only
  std::thread thread;
};

link_gate::link_gate(const wire_security &security) : parts_(std::make_shared<parts>(security)) {
  parts_->thread = std::thread([self = parts_.get()] { self->io.run(); });
}

link_gate::~link_gate() {
  close();
  {
    std::unique_lock lock(parts_->mutex);
    parts_->fewer.wait_for(lock, pump_linger, [this] { return parts_->links == 0; });
  }
  parts_->io.stop();
  parts_->thread.join();
  parts_->fronts.clear();
}

link_gate::door link_gate::open(const endpoint &place) {
  const std::string what = "nodes at " + to_string(place);
  if (!parts_->identity) check_place(place, {}, what);
  auto [in, out] = local_pair(SOCK_SEQPACKET);
  front_options options;
  options.listen = place;
  options.identity = parts_->identity;
  options.first_words = link_words;
  const auto door_end = std::make_shared<loose_end>(std::move(in));
  const auto opened = std::make_shared<std::promise<std::uint16_t>>();
  auto port = opened->get_future();
  asio::post(parts_->io, [self = parts_.get(), options, door_end, opened] {
    try {
      auto &made = self->fronts.emplace_back(self->io, options, [self, door_end](known_stream stream) {
        const auto theirs = self->lead(std::move(stream), "");
        send_arrival(door_end->get(), theirs.get());
      });
      opened->set_value(made.port());
    } catch (...) {
      opened->set_exception(std::current_exception());
    }
  });
  try {
    const auto found = port.get();
    return {found, out.release()};
  } catch (const boost::system::system_error &failed) {
    throw run_error(to_string(place) + ": error: no port can be opened here for nodes: " +
                    failed.code().message() + " (is another program using it?)");
  }
}

void link_gate::close() {
  const auto closed = std::make_shared<std::promise<void>>();
  auto done = closed->get_future();
  asio::post(parts_->io, [self = parts_.get(), closed] {
    for (auto &one : self->fronts) one.close();
    closed->set_value();
  });
  done.wait();
}

int link_gate::dial(const endpoint &place, std::chrono::milliseconds step) {
  const auto connected = std::make_shared<std::promise<int>>();
  auto found = connected->get_future();
  const auto work = [](parts *self, endpoint where, std::chrono::milliseconds most) -> task<int> {
    auto got = co_await wire::dial(self->io, std::move(where), self->identity, link_words, most);
    auto end = self->lead(std::move(got.stream), got.said);
    co_return end.release();
  };
  asio::co_spawn(parts_->io, work(parts_.get(), place, step),
                 [connected](const std::exception_ptr &problem, int descriptor) {
                   if (problem)
                     connected->set_exception(problem);
                   else
                     connected->set_value(descriptor);
                 });
  return found.get();
}

}  // namespace slipstream::wire

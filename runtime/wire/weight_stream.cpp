#include "runtime/wire/weight_stream.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/error.hpp"
#include "runtime/wire/receiver.hpp"
#include "runtime/wire/sender.hpp"

namespace slipstream {

namespace asio = boost::asio;

namespace {

/// A context and the thread that runs it. Whatever uses the context is destroyed after stop() and before
/// this.
class loop_thread {
 public:
  loop_thread() : guard_(context_.get_executor()) {}
  ~loop_thread() { stop(); }
  asio::io_context &context() { return context_; }
  void start() {
    thread_ = std::thread([this] { context_.run(); });
  }
  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
};

void check_limits(const wire_limits &limits) {
  if (limits.chunk_bytes < 4096 || limits.chunk_bytes > 1 << 24 || limits.chunk_bytes % 4096 != 0)
    throw input_error("weights: error: a chunk of " + std::to_string(limits.chunk_bytes) +
                      " bytes; it must be a multiple of 4096 and at most 16 MiB");
}

}  // namespace

class weight_server::impl {
 public:
  impl(const endpoint &listen, const wire_security &security, const wire_limits &limits)
      : limits_(limits), origin_(wire::random_id()) {
    check_limits(limits);
    sender_ = std::make_unique<wire::sender>(loop_.context(), listen, security, limits);
    loop_.start();
  }
  ~impl() {
    loop_.stop();
    sender_.reset();
  }

  void publish(weight_version next) {
    const bool sound = next.flat.defined() && next.flat.scalar_type() == at::kFloat && next.flat.dim() == 1 &&
                       next.flat.numel() > 0 && next.flat.is_contiguous() && next.flat.device().is_cpu();
    if (!sound || next.model.size() > wire::longest_name || next.version < 0)
      throw run_error("error: weights to publish must be a float32 vector on the CPU");
    {
      const std::lock_guard lock(mutex_);
      const auto [last, first] = newest_.emplace(next.model, next.version);
      if (!first && next.version <= last->second)
        throw run_error("error: version " + std::to_string(next.version) + " of \"" + next.model +
                        "\" was published after version " + std::to_string(last->second));
      last->second = next.version;
    }
    const auto source = std::make_shared<wire::version_source>(std::move(next), origin_, limits_.transit,
                                                               limits_.chunk_bytes, true);
    asio::post(loop_.context(), [this, source] {
      offered_[source->value().model] = source;
      sender_->offer(source);
    });
  }

  void cancel(const std::string &model, std::int64_t version) {
    asio::post(loop_.context(), [this, model, version] {
      const auto found = offered_.find(model);
      if (found == offered_.end() || found->second->value().version != version) return;
      sender_->withdraw(found->second, nullptr);
      offered_.erase(found);
    });
  }

  endpoint address() const { return sender_->address(); }
  nlohmann::json figures() const { return sender_->figures(); }

 private:
  wire_limits limits_;
  wire::unique_id origin_;
  loop_thread loop_;
  std::unique_ptr<wire::sender> sender_;
  std::map<std::string, wire::source_ptr> offered_;  // used by the loop's thread only
  std::mutex mutex_;
  std::map<std::string, std::int64_t> newest_;
};

weight_server::weight_server(const endpoint &listen, const wire_security &security, const wire_limits &limits)
    : impl_(std::make_shared<impl>(listen, security, limits)) {}
weight_server::~weight_server() = default;
endpoint weight_server::address() const {
  return impl_->address();
}
void weight_server::publish(weight_version next) {
  impl_->publish(std::move(next));
}
void weight_server::cancel(const std::string &model, std::int64_t version) {
  impl_->cancel(model, version);
}
nlohmann::json weight_server::figures() const {
  return impl_->figures();
}

class weight_client::impl {
 public:
  impl(const weight_client_options &options, std::function<void(weight_version)> arrived,
       std::function<void(const std::string &)> failed)
      : security_(options.security) {
    check_limits(options.limits);
    if (options.relay_listen)
      relay_ = std::make_unique<wire::sender>(loop_.context(), *options.relay_listen, options.security,
                                              options.limits);
    receiver_ = std::make_unique<wire::receiver>(loop_.context(), options, std::move(arrived),
                                                 std::move(failed), relay_.get());
    receiver_->start();
    loop_.start();
  }
  ~impl() {
    loop_.stop();
    receiver_.reset();
    relay_.reset();
  }

  endpoint relay_address() const {
    if (!relay_) throw run_error("error: this receiver passes no weights on");
    return relay_->address();
  }
  void set_parents(std::vector<endpoint> parents) {
    wire::check_parents(parents, security_);
    asio::post(loop_.context(), [this, next = std::move(parents)] { receiver_->set_parents(next); });
  }
  void cancel(const std::string &model) {
    asio::post(loop_.context(), [this, model] { receiver_->cancel(model); });
  }
  nlohmann::json figures() const {
    auto all = receiver_->figures();
    if (relay_) all["relay"] = relay_->figures();
    return all;
  }

 private:
  wire_security security_;
  loop_thread loop_;
  std::unique_ptr<wire::sender> relay_;
  std::unique_ptr<wire::receiver> receiver_;
};

weight_client::weight_client(weight_client_options options, std::function<void(weight_version)> arrived,
                             std::function<void(const std::string &)> failed)
    : impl_(std::make_shared<impl>(options, std::move(arrived), std::move(failed))) {}
weight_client::~weight_client() = default;
endpoint weight_client::relay_address() const {
  return impl_->relay_address();
}
void weight_client::set_parents(std::vector<endpoint> parents) {
  impl_->set_parents(std::move(parents));
}
void weight_client::cancel(const std::string &model) {
  impl_->cancel(model);
}
nlohmann::json weight_client::figures() const {
  return impl_->figures();
}

std::int64_t relay_parent(std::int64_t index, std::int64_t fanout) {
  return index < fanout ? -1 : index / fanout - 1;
}

}  // namespace slipstream

// A meeting point that several processes share: c10d's store, which they reach over whatever link they have.
// So ranks find each other without a further port that anybody could write to.
#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <utility>

#include "runtime/journal/bytes.hpp"
#include "runtime/parallel/c10d_group.hpp"
#include "runtime/parallel/shared_store.hpp"

namespace slipstream {
namespace {

using value = std::vector<std::uint8_t>;

enum class request : std::uint8_t { set, compare_set, get, add, drop, check, count };

constexpr std::chrono::milliseconds pause{5};  ///< between two questions for what is not there yet

std::string text_of(const value &bytes) {
  return {bytes.begin(), bytes.end()};
}
value value_of(const std::string &bytes) {
  return {bytes.begin(), bytes.end()};
}

byte_writer begun(request what, const std::string &key) {
  byte_writer out;
  out.put(static_cast<std::uint8_t>(what));
  out.text(key);
  return out;
}

class far_store : public shared_store {
 public:
  explicit far_store(meeting_requests ask) : ask_(std::move(ask)) {}

  void set(const std::string &key, const value &bytes) override {
    auto out = begun(request::set, key);
    out.text(text_of(bytes));
    ask_(out.take());
  }
  value compareSet(const std::string &key, const value &expected, const value &wanted) override {
    auto out = begun(request::compare_set, key);
    out.text(text_of(expected));
    out.text(text_of(wanted));
    return value_of(ask_(out.take()));
  }
  value get(const std::string &key) override {
    wait({key}, timeout_);
    return value_of(ask_(begun(request::get, key).take()));
  }
  std::int64_t add(const std::string &key, std::int64_t more) override {
    auto out = begun(request::add, key);
    out.number(more);
    return number(ask_(out.take()));
  }
  bool deleteKey(const std::string &key) override {
    return number(ask_(begun(request::drop, key).take())) != 0;
  }
  bool check(const std::vector<std::string> &keys) override {
    for (const auto &key : keys)
      if (number(ask_(begun(request::check, key).take())) == 0) return false;
    return true;
  }
  std::int64_t getNumKeys() override { return number(ask_(begun(request::count, {}).take())); }
  void wait(const std::vector<std::string> &keys) override { wait(keys, timeout_); }
  void wait(const std::vector<std::string> &keys, const std::chrono::milliseconds &timeout) override {
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (!check(keys)) {
      if (std::chrono::steady_clock::now() > until) throw rank_lost("another rank has not come in time");
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  static std::int64_t number(const std::string &answer) { return byte_reader(answer).number(); }

  meeting_requests ask_;
};

std::string as_number(std::int64_t number) {
  byte_writer out;
  out.number(number);
  return out.take();
}

}  // namespace

std::shared_ptr<meeting_point> meet_here() {
  return std::make_shared<meeting_point>(meeting_point{c10::make_intrusive<c10d::HashStore>()});
}

std::shared_ptr<meeting_point> meet_elsewhere(meeting_requests ask) {
  return std::make_shared<meeting_point>(meeting_point{c10::make_intrusive<far_store>(std::move(ask))});
}

std::string answer_meeting(const std::shared_ptr<meeting_point> &here, std::string_view bytes) {
  byte_reader in(bytes);
  const auto what = static_cast<request>(in.get<std::uint8_t>());
  const auto key = in.text();
  auto &store = *here->store;
  switch (what) {
    case request::set:
      store.set(key, value_of(in.text()));
      return {};
    case request::compare_set: {
      const auto expected = in.text(), wanted = in.text();
      return text_of(store.compareSet(key, value_of(expected), value_of(wanted)));
    }
    case request::get:
      if (!store.check({key}))
        throw run_error("a rank asks for what is not there");  // a request to get must not wait here
      return text_of(store.get(key));
    case request::add:
      return as_number(store.add(key, in.number()));
    case request::drop:
      return as_number(store.deleteKey(key) ? 1 : 0);
    case request::check:
      return as_number(store.check({key}) ? 1 : 0);
    case request::count:
      return as_number(store.getNumKeys());
  }
  throw run_error("a rank asks for what nobody knows");
}

}  // namespace slipstream

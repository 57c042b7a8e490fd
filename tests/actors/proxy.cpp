#include <ATen/core/Tensor.h>

#include "actors/journal.hpp"
#include "actors/nodes/links.hpp"
#include "actors/nodes/proxy.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using slipstream::test::virtual_time;

namespace {

/// A proxy among actors that only note what they hear, and the other end of its link.
struct small_link {
  std::vector<std::string> heard;  ///< in order: "journal 5", "finished 5", "group 5", "lost 5+2", "again x"
  std::vector<node_frame> down;
  std::size_t deaths = 0;
  virtual_time world;  ///< behind what its last messages are told to
  run_services services = test::make_services(world);
  caf::actor agent, proxy;

  small_link() {
    services.journal = as<journal_actor>(listen());
    proxy_setup setup;
    setup.label = "sampler-1";
    setup.node = "b";
    setup.services = services;
    setup.nodes = world.spawn<caf::actor>([this] {
      return caf::behavior{[](lost_atom, const std::string &) {},
                           [this](again_atom, const std::string &label, const std::string &) {
                             heard.push_back("again " + label);
                           }};
    });
    setup.ledger = as<ledger_actor>(listen());
    setup.sinks = {as<rollout_sink>(listen())};
    proxy = world.own(spawn_proxy(world.system(), setup));
    agent = make_agent();
    world.settle();
  }

  template <class Handle>
  static Handle as(const caf::actor &actor) {
    return caf::actor_cast<Handle>(caf::actor_cast<caf::strong_actor_ptr>(actor));
  }

  caf::actor listen() {
    return world.spawn<caf::actor>([this] {
      return caf::behavior{
          [this](const journal_event_ptr &event) {
            heard.push_back("journal " + std::to_string(std::get<group_progress>(*event).id));
          },
          [this](finished_atom, std::uint64_t id) { heard.push_back("finished " + std::to_string(id)); },
          [this](const group_ptr &group) { heard.push_back("group " + std::to_string(group->source->id)); },
          [this](lost_atom, const work_sink &, const lost_work_ptr &lost) {
            for (const auto &[id, begun] : lost->prompts)
              heard.push_back("lost " + std::to_string(id) + "+" +
                              std::to_string(begun ? token_count(*begun) : 0));
          },
          [](subscribe_atom, const flush_sink &) {},
          [this](credit_atom, const work_sink &, std::int64_t prompts, std::int64_t version) {
            heard.push_back("credit " + std::to_string(prompts) + " at " + std::to_string(version));
          }};
    });
  }

  /// Attaches itself and says what it is told to.
  caf::actor make_agent() {
    return world.spawn<caf::actor>([this](caf::event_based_actor *self) {
      self->send(proxy, attach_atom::value, caf::actor_cast<caf::actor>(self));
      self->attach_functor([this](const caf::error &) { ++deaths; });
      const auto pieces = std::make_shared<frame_pieces>();
      return caf::behavior{[this, pieces](frame_atom, std::uint8_t more, const std::string &piece) {
                             if (pieces->add(piece, more != 0)) down.push_back(decode_frame(pieces->take()));
                           },
                           [this, self](tick_atom, const std::string &bytes) {
                             self->send(proxy, frame_atom::value, std::uint8_t{0}, bytes);
                           }};
    });
  }
  void say(const node_frame &frame) { say_bytes(encode_frame(frame)); }
  void say_bytes(const std::string &bytes) {
    caf::anon_send(agent, tick_atom::value, bytes);
    world.settle();
  }
  void give(std::uint64_t id) {
    auto line = std::make_shared<example>();
    line->id = id;
    auto prompt = std::make_shared<work>();
    prompt->source = line;
    prompt->min_version = 4;
    caf::anon_send(as<work_sink>(proxy), work_ptr(prompt));
    world.settle();
  }
  void note_tokens(std::uint64_t id, std::vector<std::int64_t> tokens, bool ended) {
    partial_generation part;
    part.answer.logprobs.assign(tokens.size(), -1);
    part.answer.versions.assign(tokens.size(), 4);
    part.answer.cache_versions = part.answer.versions;
    part.answer.tokens = std::move(tokens);
    part.ended = ended;
    say(journal_frame{encode({0, group_progress{id, {part}}})});
  }
  std::vector<std::string> take() { return std::exchange(heard, {}); }
};

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("prompts set out beside a version only to where weights come through memory") {
  small_link link;
  const auto publish = [&](std::int64_t version) {
    caf::anon_send(link.proxy, snapshot_ptr(std::make_shared<snapshot>(snapshot{version})));
    link.world.settle();
  };
  publish(1);
  CHECK(link.take().empty());  // it has not said yet where it is
  link.say(credit_frame{2, 1, false});
  CHECK(link.take() == lines{"credit 2 at 1"});
  publish(2);
  CHECK(link.take().empty());
  link.say(credit_frame{0, 2, true});
  CHECK(link.take() == lines{"credit 0 at 2"});
  publish(3);
  CHECK(link.take() == lines{"credit 0 at 3"});
  caf::anon_send_exit(link.agent, caf::exit_reason::kill);
  link.world.settle();
  link.take();
  publish(4);
  CHECK(link.take().empty());
  link.agent = link.make_agent();  // another process, perhaps elsewhere
  link.world.settle();
  publish(5);
  CHECK(link.take().empty());
}

TEST_CASE("a proxy hands prompts down, and what comes up in the order of one process") {
  small_link link;
  link.give(5);
  REQUIRE(link.down.size() == 1);
  CHECK(std::get<work_frame>(link.down[0]).prompt->min_version == 4);
  link.note_tokens(5, {1, 2}, false);
  CHECK(link.take() == lines{"journal 5"});
  link.note_tokens(5, {3}, true);
  CHECK(link.take().empty());  // the last record waits for the group
  link.say(rollouts_frame{5, {generation{{1, 2, 3}, {-1, -1, -1}, {4, 4, 4}}}, {"abc"}});
  CHECK(link.take() == lines{"journal 5", "finished 5", "group 5"});
}

TEST_CASE("what a lost actor had is given back, with the tokens that the journal has of it and no others") {
  small_link link;
  for (const std::uint64_t id : {5, 6, 7}) link.give(id);
  link.note_tokens(5, {1, 2}, false);
  link.note_tokens(6, {1, 2, 3}, true);  // whole, but its group does not come any more
  link.take();
  caf::anon_send_exit(link.agent, caf::exit_reason::kill);
  link.world.settle();
  CHECK(link.take() == lines{"lost 5+2", "lost 6+0", "lost 7+0"});
  link.give(8);
  CHECK(link.take() == lines{"lost 8+0"});
  link.down.clear();
  link.agent = link.make_agent();
  link.world.settle();
  link.give(9);
  CHECK(link.down.size() == 1);
  CHECK(link.take().empty());
}

TEST_CASE("an actor that breaks the rules of its link is cut off and started again, and the run goes on") {
  small_link link;
  link.give(5);
  SECTION("bytes that are no message") {
    link.say_bytes("\x63junk");
  }
  SECTION("a group that it has not") {
    link.say(rollouts_frame{6, {generation{}}, {""}});
  }
  SECTION("a group without answers") {
    link.say(rollouts_frame{5, {}, {}});
  }
  SECTION("what only the run may write into the journal") {
    link.say(journal_frame{encode({0, prompt_moved{5, rollout_state::trained, "mine"}})});
  }
  SECTION("a record that is none") {
    link.say(journal_frame{"\xff\xff"});
  }
  SECTION("figures, though it is a sampler") {
    link.say(scores_frame{5, "s", "", 0, {1}});
  }
  SECTION("what only a run says") {
    link.say(flush_frame{});
  }
  CHECK(link.take() == lines{"lost 5+0"});
  CHECK(link.deaths == 1);
  link.world.pass(std::chrono::seconds(2));
  CHECK(link.take() == lines{"again sampler-1"});
}

TEST_CASE("a failed actor is started again a few times, and then the run hears of it") {
  small_link link;
  bool died = false;
  link.proxy->attach_functor([&](const caf::error &) { died = true; });
  for (int i = 0; i < 3; ++i) {
    link.say(failed_frame{"no memory", false});
    link.world.pass(std::chrono::seconds(20));
    CHECK(link.take() == lines{"again sampler-1"});
    CHECK_FALSE(died);
    link.agent = link.make_agent();
    link.world.settle();
  }
  link.say(failed_frame{"no memory", false});
  CHECK(died);
}

TEST_CASE("a fault of the input ends the run at once") {
  small_link link;
  caf::error reason;
  link.proxy->attach_functor([&](const caf::error &why) { reason = why; });
  link.say(failed_frame{"cuda:7 is not here", true});
  CHECK(reason == caf::sec::invalid_argument);
  CHECK_THAT(failure_text(reason), test::Contains("sampler-1 on node \"b\": cuda:7 is not here"));
}

TEST_CASE("a flush is answered by the actor, or at once where there is none") {
  small_link link;
  link.give(5);
  auto answer = std::make_shared<lines>();
  const auto ask = [&] {
    link.world.own(link.world.system().spawn(
        [=, to = small_link::as<flush_sink>(link.proxy)](caf::event_based_actor *self) {
          self->request(to, caf::infinite, flush_atom::value)
              .then([=](const ids_ptr &begun, const ids_ptr &untouched) {
                answer->push_back(std::to_string(begun->size()) + "," + std::to_string(untouched->size()));
              });
        }));
    link.world.settle();
  };
  ask();
  CHECK(answer->empty());
  link.say(flushed_frame{{}, {5}});
  CHECK(*answer == lines{"0,1"});
  ask();
  caf::anon_send_exit(link.agent, caf::exit_reason::kill);
  link.world.settle();
  CHECK(*answer == lines{"0,1", "0,0"});
  ask();
  CHECK(answer->size() == 3);
}

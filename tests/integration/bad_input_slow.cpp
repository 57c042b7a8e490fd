#include <ATen/core/Tensor.h>
#include <sys/file.h>

#include <algorithm>
#include <functional>
#include <set>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/place.hpp"
#include "models/network/transformer.hpp"
#include "tests/support/program.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using test::Contains;
using test::scratch;

namespace {

/// One fault. The sign ^ in the topology stands before the place that the message must name, and is no part
/// of the text; `begin` is how the message begins where it names another file, or none.
struct bad_input {
  std::string name;
  std::string topology;
  std::vector<std::string> words;
  std::string begin = "";
  std::function<void(const scratch &)> prepare = {};
  std::vector<std::string> arguments = {"run", "bad.toml"};
};

std::string changed(std::string text, const std::string &from, const std::string &to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("the topology has no " + from);
  return text.replace(at, from.size(), to);
}

const std::string sft = test::tiny_topology{.folder = "."}.sft();
const std::string grpo = test::tiny_topology{.folder = "."}.grpo();

void write_half_a_checkpoint(const scratch &folder) {
  const auto text = make_character_tokenizer("0123456789=");
  model_spec spec;
  spec.vocab_size = text->vocab_size();
  spec.hidden_size = 16;
  spec.intermediate_size = 24;
  spec.layers = 1;
  spec.max_positions = 24;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 8;
  save_checkpoint(folder / "half", {spec, initial_parameters(spec, 1), text}, {}, "");
  const auto weights = folder / "half" / "model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) / 2);
}

std::string fresh_policy_from(const std::string &source) {
  const auto begin = sft.find("[models.policy]\n") + 16;
  const auto end = sft.find("[actors.");
  return sft.substr(0, begin) + "from = ^\"" + source + "\"\n" + sft.substr(end);
}

std::function<void(const scratch &)> append(const std::string &file, const std::string &text) {
  return [=](const scratch &folder) { std::ofstream(folder / file, std::ios::app) << text; };
}

const std::vector<bad_input> table{
    {"unknown key",
     sft + "^learning_rat = 1\n",
     {"unknown key \"learning_rat\"", "Did you mean \"learning_rate\"?"}},
    {"wrong type", changed(sft, "updates = 4", "updates = ^\"4\""), {"updates", "integer"}},
    {"missing table",
     changed(sft, "[schedule]\nbatch = 8\nmax_staleness = 1\n", ""),
     {"[schedule] is missing", "add"},
     "bad.toml: error: "},
    {"ports of different types",
     changed(grpo, "takes = \"advantage\"", "takes = ^\"sampler\""),
     {"which gives rollouts", "Put", "between"}},
    {"cycle",
     changed(changed(grpo, "takes = \"prompts\"", "takes = \"near\""), "takes = \"sampler\"",
             "takes = ^\"sampler\""),
     {"closes a cycle that cannot run", "near → sampler"}},
    {"less tokens at most than at least",
     changed(grpo, "max_new_tokens = 5", "max_new_tokens = 5\nmin_new_tokens = ^6"),
     {"min_new_tokens = 6 is above max_new_tokens = 5"}},
    {"more tokens than any model has room for",
     changed(grpo, "max_new_tokens = 5", "max_new_tokens = ^9223372036854775807"),
     {"max_new_tokens must be an integer from 1 to 16777216"}},
    {"answers to compare with that are not there",
     changed(grpo, "prompts.jsonl", "bare.jsonl"),
     {"the line has no \"answer\"", "[actors.near] (scorer.edit_similarity)"},
     "./bare.jsonl:1: error: ",
     [](const scratch &folder) { folder.write("bare.jsonl", "{\"prompt\":\"1=\"}\n"); }},
    {"batch and group", changed(grpo, "batch = 8", "batch = ^9"), {"not divisible by group = 4", "8 or 12"}},
    {"unknown loss",
     changed(sft, "loss = \"sft\"", "loss = ^\"sftt\""),
     {"is not a loss", "Did you mean \"sft\"?"}},
    {"loss without correction",
     changed(grpo, "\"decoupled_ppo\"", "^\"reinforce\""),
     {"corrects nothing", "max_staleness is 1", "use decoupled_ppo", "allow_uncorrected = true"}},
    {"rounded weights without correction",
     changed(changed(grpo, "\"decoupled_ppo\"", "\"reinforce\""), "max_new_tokens = 5",
             "max_new_tokens = 5\nweights = ^\"int8\""),
     {"weights rounds the policy's", "[actors.learner] corrects nothing", "use decoupled_ppo",
      "allow_uncorrected = true"}},
    {"unknown order",
     changed(grpo, "batch = 8\n", "batch = 8\norder = ^\"strcit\"\n"),
     {"no order of consumption", "Did you mean \"strict\"?"}},
    {"a window that starves",
     changed(grpo, "batch = 8\n", "batch = 8\norder = \"windowed\"\nwindow = ^4\n"),
     {"would starve", "max_staleness = 1", "less 2", "window smaller"}},
    {"weights published too seldom",
     changed(grpo, "batch = 8\n", "batch = 8\npublish_every = ^3\n"),
     {"wait for ever", "a lead of 2"}},
    {"a lead that breaks the promise",
     changed(grpo, "batch = 8\n", "batch = 8\nlead = ^2\n"),
     {"breaks max_staleness = 1", "set lead to 1"}},
    {"no promise",
     changed(grpo, "batch = 8\n", "batch = 8\norder = \"completion\"\nwhen_late = ^\"accept\"\n"),
     {"promises nothing", "allow_unbounded_staleness = true"}},
    {"late after the promise",
     changed(grpo, "batch = 8\n", "batch = 8\norder = \"completion\"\nlate_after = ^2\n"),
     {"later than max_staleness = 1", "set it to 1"}},
    {"too little in flight",
     changed(grpo, "batch = 8\n", "batch = 8\nmax_in_flight = ^4\n"),
     {"wait for ever", "a batch needs 8"}},
    {"too little running",
     changed(grpo, "batch = 8\n", "batch = 8\nmax_running = ^3\n"),
     {"wait for ever", "a group of 4"}},
    {"an exact lag out of order",
     changed(grpo, "batch = 8\n", "batch = 8\norder = \"windowed\"\nlag = ^\"exactly\"\n"),
     {"needs order = \"strict\""}},
    {"a guard with nothing to roll back to",
     changed(grpo, "batch = 8\n",
             "batch = 8\nguards = ^[{ signal = \"ess\", below = 0.1, act = \"roll_back\" }]\n"),
     {"newest checkpoint", "checkpoint_every"}},
    {"no such run", fresh_policy_from("run:other"), {"there is no run \"other\"", "run.folder"}},
    {"no such folder", fresh_policy_from("nowhere"), {"there is no model \"nowhere\"", "run:NAME"}},
    {"half a checkpoint", fresh_policy_from("half"), {"half/model.safetensors"}, "", write_half_a_checkpoint},
    {"bad line",
     sft,
     {"not valid JSON", "one object"},
     "./demonstrations.jsonl:21: error: ",
     append("demonstrations.jsonl", "{\"prompt\": \"1=\"\n")},
    {"field missing",
     sft,
     {"\"response\" is missing"},
     "./demonstrations.jsonl:23: error: ",
     append("demonstrations.jsonl", "\n\n{\"prompt\": \"1=\"}\n")},
    {"unknown character",
     grpo,
     {"no id for the character \"x\""},
     "./prompts.jsonl:21: error: ",
     append("prompts.jsonl", "{\"prompt\": \"x=\"}\n")},
    {"empty data",
     sft,
     {"holds no rows", "one JSON object a line"},
     "./demonstrations.jsonl: error: ",
     [](const scratch &folder) { folder.write("demonstrations.jsonl", ""); }},
    {"no data",
     sft,
     {"no such data file", "check the path"},
     "./demonstrations.jsonl: error: ",
     [](const scratch &folder) { std::filesystem::remove(folder / "demonstrations.jsonl"); }},
    {"prompt longer than the context",
     grpo,
     {"needs 25 tokens", "context is 24", "lower max_new_tokens"},
     "./prompts.jsonl:22: error: ",
     append("prompts.jsonl", "\n{\"prompt\": \"1234567890123456789=\"}\n")},
    {"run folder below a file",
     changed(sft, "./runs", "bad.toml/runs"),
     {"is a file, not a folder", "run.folder"},
     "bad.toml/runs/tiny: error: "},
    {"run folder with another run",
     sft,
     {"already holds a finished run", "run.name"},
     "./runs/tiny: error: ",
     [](const scratch &folder) { folder.write("runs/tiny/summary.json", "{}"); }},
    {"device", sft + "device = ^\"cuda:0\"\n", {"sees no GPU", "device = \"cpu\""}},
    {"broken TOML", changed(sft, "batch = 8", "batch = = 8"), {"error: "}, "bad.toml:7:"},
    {"duplicate key", sft + "takes = ^\"demonstrations\"\n", {"redefine", "takes"}},
    {"no such topology", sft, {"error: "}, "nowhere.toml: error: ", {}, {"run", "nowhere.toml"}},
    {"override of nothing",
     sft,
     {"no file of this command has", "check the name"},
     "--set actors.sampler: error: ",
     {},
     {"run", "bad.toml", "--set", "actors.sampler.group=2"}},
    {"override of the wrong type",
     sft,
     {"must be an integer"},
     "--set schedule.batch",
     {},
     {"run", "bad.toml", "--set", "schedule.batch=many"}},
    {"the same run twice",
     sft,
     {"another stage's name"},
     "bad.toml: error: ",
     {},
     {"run", "bad.toml", "bad.toml"}},
};

/// The text without its sign, and "bad.toml:LINE:COL: error: " of the sign.
std::pair<std::string, std::string> split(const bad_input &fault) {
  auto text = fault.topology;
  const auto sign = text.find('^');
  if (sign == std::string::npos) return {text, fault.begin};
  const auto begin = text.rfind('\n', sign) + 1;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(sign), '\n');
  text.erase(sign, 1);
  return {text, "bad.toml:" + std::to_string(line) + ":" + std::to_string(sign - begin + 1) + ": error: "};
}

std::set<std::string> listing(const std::filesystem::path &folder) {
  std::set<std::string> result;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder))
    result.insert(entry.path().string());
  return result;
}

bool has_gpu() {
  try {
    require_device("cuda:0");
    return true;
  } catch (const input_error &) {
    return false;
  }
}

void check(const bad_input &fault) {
  const scratch folder, prints;
  test::write_tiny_data(folder.path());
  const auto [text, begin] = split(fault);
  folder.write("bad.toml", text);
  if (fault.prepare) fault.prepare(folder);
  const auto before = listing(folder.path());
  test::program run(folder.path(), prints.path(), fault.arguments);
  const auto code = run.wait();
  const auto message = run.err();
  INFO(fault.name << ": wanted " << begin << "\n" << message);
  CHECK(code == 2);
  CHECK(run.out() == "");
  CHECK(message.substr(0, begin.size()) == begin);
  for (const auto &word : fault.words) CHECK_THAT(message, Contains(word));
  CHECK(std::count(message.begin(), message.end(), '\n') == 1);  // one message, and no run was announced
  CHECK(!message.empty());
  CHECK(message.back() == '\n');
  CHECK(listing(folder.path()) == before);
}

}  // namespace

TEST_CASE(
    "every bad input ends with code 2 and one message that names place and mend, and leaves nothing behind") {
  for (const auto &fault : table)
    if (fault.name != "device" || !has_gpu()) check(fault);
}

TEST_CASE("a run folder that a live process writes is refused") {
  int lock = -1;
  check({"locked",
         sft,
         {"writes this run folder now", "run.name"},
         "./runs/tiny: error: process 4711 ",
         [&](const scratch &folder) {
           lock = ::open(folder.write("runs/tiny/lock", "4711\n").c_str(), O_RDWR | O_CLOEXEC);
           REQUIRE(::flock(lock, LOCK_EX) == 0);
         }});
  ::close(lock);
}

TEST_CASE("bad usage ends with code 2 and says what was wrong") {
  const scratch folder, prints;
  for (const auto &[arguments, word] :
       {std::pair<std::vector<std::string>, std::string>{
            {"rnu", "a.toml"}, "there is no command \"rnu\". Did you mean \"run\"?"},
        {{"run"}, "files"},
        {{}, "subcommand"},
        {{"run", "a.toml", "--resum"}, "--resum"},
        {{"certs", "a b", "--to", "certs"}, "\"a b\" is no name for a node"},
        {{"certs", "a", "--to", "/proc/certs"}, "/proc/certs"},
        {{"certs", "--to", "certs"}, "names"},
        {{"generate", "--model", "nowhere", "--prompt", "1"}, "nowhere"},
        {{"generate", "--model", "m", "--prompt", "1", "--ids", "1"}, "--prompt"}}) {
    test::program run(folder.path(), prints.path(), arguments);
    const auto code = run.wait();
    INFO(run.err());
    CHECK(code == 2);
    CHECK(run.out() == "");
    CHECK_THAT(run.err(), Contains(word));
  }
}

TEST_CASE("the table's topologies are right but for their faults") {
  for (const auto &text : {sft, grpo}) {
    const scratch folder, prints;
    test::write_tiny_data(folder.path());
    folder.write("good.toml", text);
    test::program run(folder.path(), prints.path(), {"check", "good.toml"});
    const auto code = run.wait();
    INFO(run.err());
    CHECK(code == 0);
  }
}

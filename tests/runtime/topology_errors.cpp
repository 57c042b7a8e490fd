#include "models/error.hpp"
#include "runtime/topology/topology.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

const std::string run = "[run]\nname = \"r\"\nupdates = 1\n";
const std::string schedule = "[schedule]\nbatch = 8\n";
const std::string actors = "[actors.learner]\nkind = \"learner\"\n";
const std::string network =
    "[models.m]\narchitecture = \"llama\"\nhidden_size = 8\nlayers = 1\nalphabet = \"ab\"\n";

// A topology with one fault. The sign ^ stands before the place that the message must name (and is no part of
// the text); without one the message names the file only.
struct bad_input {
  std::string text;
  std::vector<const char *> words;
};

const std::vector<bad_input> table{
    {schedule + actors, {"[run] is missing", "add [run]"}},
    {run + actors, {"[schedule] is missing", "batch = 64"}},
    {run + schedule, {"[actors] is missing", "loader"}},
    {run + schedule + "^[actors]\n", {"[actors] is empty", "add"}},
    {"[^runn]\nname = \"r\"\n", {"unknown key \"runn\"", "Did you mean \"run\"?", "Known keys: run"}},
    {"run = ^1\n" + schedule + actors, {"run must be a table", "[run]"}},
    {"^[run]\nupdates = 1\n" + schedule + actors, {"[run] name is missing", "add a line"}},
    {"[run]\nname = ^7\nupdates = 1\n" + schedule + actors, {"name must be a string", "quotes"}},
    {"[run]\nname = ^\"a/b\"\nupdates = 1\n" + schedule + actors, {"becomes a folder", "dashes"}},
    {"[run]\nname = ^\"..\"\nupdates = 1\n" + schedule + actors, {"becomes a folder", "a dot"}},
    {"^[run]\nname = \"r\"\n" + schedule + actors, {"updates is missing", "updates = 1"}},
    {run + "seed = ^-1\n" + schedule + actors, {"[run] seed", "at least 0"}},
    {run + "^sede = 1\n" + schedule + actors, {"unknown key \"sede\"", "\"seed\""}},
    {run + "folder = ^\"\"\n" + schedule + actors, {"folder is empty", "runs"}},
    {run + "numerics = ^\"exactly\"\n" + schedule + actors, {"numerics must be", "Did you mean \"exact\"?"}},
    {run + "^[schedule]\n" + actors, {"[schedule] batch is missing", "batch = 1"}},
    {run + "[schedule]\nbatch = ^0\n" + actors, {"batch must be an integer", "from 1"}},
    {run + "[schedule]\nbatch = ^8.0\n" + actors, {"must be an integer", "without quotes or a point"}},
    {run + schedule + "max_staleness = ^-1\n" + actors, {"max_staleness", "from 0"}},
    {run + schedule + "order = ^7\n" + actors, {"order must be a string", "quotes"}},
    {run + schedule + "window = ^4\n" + actors, {"belongs to order = \"windowed\"", "\"strict\""}},
    {run + schedule + "order = \"windowed\"\nwindow = ^0\n" + actors, {"window", "from 1"}},
    {run + schedule + "order = \"windowed\"\nwindow = ^0.0\n" + actors, {"window", "between 0 and 1"}},
    {run + schedule + "when_late = ^\"drop\"\n" + actors,
     {"belongs to order = \"completion\"", "nothing is late"}},
    {run + schedule + "order = \"completion\"\nwhen_late = ^\"dorp\"\n" + actors, {"Did you mean \"drop\"?"}},
    {run + schedule + "lead = ^\"2\"\n" + actors, {"lead must be an integer"}},
    {run + schedule + "lead = ^{ from = 0, to = 2 }\n" + actors, {"schedule.lead", "end is missing"}},
    {run + schedule + "lead = { from = 0, to = 2, begin = 9, end = ^9 }\n" + actors,
     {"end must come after begin"}},
    {run + schedule + "lead = { signal = ^\"es\", target = 0.9, least = 0, most = 2 }\n" + actors,
     {"Did you mean \"ess\"?"}},
    {run + schedule + "lead = { signal = \"ess\", target = 0.9, least = 3, most = ^2 }\n" + actors,
     {"most is less than least"}},
    {run + schedule + "lead = { from = 0, to = 2, end = 9, ^by = 1 }\n" + actors, {"unknown key \"by\""}},
    {run + schedule + "lag = ^\"exact\"\n" + actors, {"\"at_most\"", "\"exactly\""}},
    {run + schedule + "on_new_weights = ^\"stop\"\n" + actors,
     {"\"continue\"", "\"finish\"", "\"recompute\""}},
    {run + schedule + "batch_least = ^4\n" + actors, {"go together", "seconds"}},
    {run + schedule + "guards = ^3\n" + actors, {"list of tables", "below = 0.3"}},
    {run + schedule + "guards = [{ signal = ^\"ess\", act = \"skip\" }]\n" + actors, {"needs a bound"}},
    {run + schedule + "guards = [{ signal = \"ess\", below = 0.2, act = ^\"jump\" }]\n" + actors,
     {"roll_back"}},
    {run + schedule + actors + "node = ^\"b\"\n", {"\"b\" is no node", "Add [nodes.b]"}},
    {run + schedule + "[nodes.bee]\n" + actors + "node = ^\"bea\"\n", {"Did you mean \"bee\"?"}},
    {run + schedule + "[nodes.b]\naddress = ^\"x\"\n" + actors, {"[nodes.b]", "address"}},
    {run + schedule + "[nodes]\n[nodes.^\"b c\"]\n" + actors, {"\"b c\" cannot name a node"}},
    {run + schedule + "[nodes.b]\nlaunch = ^\"ssh\"\n" + actors, {"add host"}},
    {run + schedule + "[nodes.b]\nlaunch = \"ssh\"\nhost = ^\"-oProxyCommand=x\"\n" + actors, {"dash"}},
    {run + schedule + "[nodes.b]\nhost = ^\"h\"\n" + actors, {"host is for launch"}},
    {run + schedule + "[nodes]\ncertificate = ^\"a.pem\"\n" + actors, {"go together"}},
    {run + schedule + "[nodes]\nheartbeat = 2\ntimeout = ^3\n" + actors, {"two heartbeats"}},
    {run + schedule + "[nodes]\nspool = ^\"tmp\"\n" + actors, {"whole path"}},
    {run + schedule + "[nodes]\n^patients = 3\n" + actors, {"Did you mean \"patience\"?"}},
    {run + schedule + "[chaos]\nevents = [^{ update = 3 }]\n" + actors, {"names what it does to whom"}},
    {run + schedule + "[chaos]\nevents = ^3\n" + actors, {"events is a list"}},
    {run + schedule + "[nodes.b]\n^adress = \"h:1\"\n" + actors, {"Did you mean \"address\"?"}},
    {run + schedule + "^[actors.learner]\ntakes = \"a\"\n", {"[actors.learner] has no kind", "kind = "}},
    {run + schedule + "[actors.learner]\nkind = ^\"\"\n", {"kind is empty", "quotes"}},
    {run + schedule + "[actors]\nlearner = ^3\n", {"actors.learner must be a table", "[actors.learner]"}},
    {run + schedule + "[actors.^\"a b\"]\nkind = \"x\"\n", {"cannot name an actor", "letters"}},
    {run + schedule + actors + "^[actors.learner]\nkind = \"learner\"\n", {"actors.learner"}},
    {run + schedule + actors + "takes = ^\"learnr\"\n", {"no actor is called", "Did you mean \"learner\"?"}},
    {run + schedule + actors + "takes = [^3]\n", {"a string or an array of strings", "takes = "}},
    {run + schedule + actors + "takes = ^\"learner\"\n", {"takes itself", "gets its input from"}},
    {run + schedule + actors + "takes = [\"b\", ^\"b\"]\n[actors.b]\nkind = \"k\"\n",
     {"\"b\" twice", "remove"}},
    {run + schedule + actors +
         "takes = \"b\"\n[actors.b]\nkind = \"k\"\ntakes = \"c\"\n[actors.c]\nkind = \"k\"\n"
         "takes = ^\"learner\"\n",
     {"closes a cycle that cannot run: learner → c → b → learner", "outside of it"}},
    {run + schedule + actors + "device = ^\"gpu\"\n", {"device must be", "cuda:N"}},
    {run + schedule + actors + "device = ^\"cuda:\"\n", {"device must be", "cuda:N"}},
    {run + schedule + actors + "^[models.m]\n", {"does not say where its weights come from", "copy_of"}},
    {run + schedule + actors + "[models.m]\nfrom = \"x\"\ncopy_of = ^\"y\"\n",
     {"exclude each other", "keep"}},
    {run + schedule + actors + "[models.m]\nfrom = \"x\"\narchitecture = ^\"llama\"\n",
     {"exclude each other"}},
    {run + schedule + actors + "[models.m]\nfrom = ^\"run:\"\n", {"names no run", "run:NAME"}},
    {run + schedule + actors + "[models.m]\nfrom = \"x\"\n^layers = 2\n",
     {"unknown key \"layers\" in [models.m]"}},
    {run + schedule + actors + "[models.m]\ncopy_of = \"n\"\n^head = \"score\"\n[models.n]\nfrom = \"x\"\n",
     {"unknown key \"head\""}},
    {run + schedule + actors + "[models.m]\ncopy_of = ^\"n\"\n", {"no model is called", "models: m"}},
    {run + schedule + actors + "[models.m]\ncopy_of = ^\"m\"\n", {"a copy of itself", "from = "}},
    {run + schedule + actors + "[models.m]\ncopy_of = ^\"n\"\n[models.n]\ncopy_of = \"m\"\n",
     {"itself a copy (of \"m\", t.toml:11:11)", "weights of its own"}},
    {run + schedule + actors +
         "^[models.m]\narchitecture = \"llama\"\nhidden_size = 8\nlayers = 1\nheads = 2\n",
     {"does not say how text becomes tokens", "tokenizer = \"bytes\""}},
    {run + schedule + actors +
         "[models.m]\narchitecture = \"llama\"\nhidden_size = 8\nlayers = 1\nheads = 2\nalphabet = \"ab\"\n"
         "tokenizer = ^\"bytes\"\n",
     {"alphabet and tokenizer exclude each other"}},
    {run + schedule + actors + "[models.m]\narchitecture = ^\"gpt\"\n", {"architecture must be \"llama\""}},
    {run + schedule + actors + network + "heads = ^3\n", {"not divisible by heads = 3", "head_dim"}},
    {run + schedule + actors + network + "heads = ^8\n", {"even number"}},
    {run + schedule + actors + network + "heads = 2\nkv_heads = ^3\n", {"kv_heads", "from 1 to 2"}},
    {run + schedule + actors + network + "heads = 2\nhead = ^\"scores\"\n", {"Did you mean \"score\"?"}},
    {run + schedule + actors + "[data]\nmake = ^\"srot\"\n", {"no made-up task", "Did you mean \"sort\"?"}},
    {run + schedule + actors + "[data]\nfolder = ^\"x\"\n", {"nothing is made", "make = \"sort\""}},
};

// The text without its sign, and "t.toml:LINE:COL" of the sign ("t.toml" when there is none).
std::pair<std::string, std::string> split(std::string text) {
  const auto sign = text.find('^');
  if (sign == std::string::npos) return {text, "t.toml"};
  const auto begin = text.rfind('\n', sign) + 1;  // npos + 1 is 0: the first line
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(sign), '\n');
  text.erase(sign, 1);
  return {text, "t.toml:" + std::to_string(line) + ":" + std::to_string(sign - begin + 1)};
}

}  // namespace

TEST_CASE("every bad topology gets one message with its place and the mend") {
  for (const auto &[marked, words] : table) {
    const auto [text, place] = split(marked);
    std::string message = "no error";
    try {
      make_topology(parse_document(text, "t.toml"), "t.toml");
    } catch (const input_error &error) {
      message = error.what();
    }
    INFO(text << "\nwanted " << place << "\n   got " << message);
    CHECK(message.substr(0, place.size() + 9) == place + ": error: ");
    for (const char *word : words) CHECK_THAT(message, Contains(word));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a topology without a fault is read, so the table's faults are its own") {
  CHECK_NOTHROW(make_topology(parse_document(run + schedule + actors, "t.toml"), "t.toml"));
  CHECK_NOTHROW(
      make_topology(parse_document(run + schedule + actors + network + "heads = 2\n", "t.toml"), "t.toml"));
}

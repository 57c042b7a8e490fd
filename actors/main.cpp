#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "actors/commands/commands.hpp"
#include "actors/commands/output.hpp"
#include "actors/commands/version.hpp"
#include "actors/nodes/links.hpp"
#include "actors/threads.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/descriptors.hpp"
#include "runtime/plumbing/resources.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/topology/suggest.hpp"

namespace {

#ifndef __SANITIZE_ADDRESS__
// Called before the libraries are set up: OpenBLAS asks for 128 MB then, and goes on asking for ever where a
// limit on the address space denies them.
void refuse_small_address_space(int, char **, char **) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  constexpr std::size_t wanted = std::size_t{640} << 20U;
  void *room = ::mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room != MAP_FAILED) {
    ::munmap(room, wanted);
    return;
  }
  constexpr std::string_view text =
      "error: the limit on address space (ulimit -v) is too low for LibTorch and its BLAS; raise it or take "
      "it "
      "away (a container limits memory by other means)\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(1);
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_libraries)(int, char **, char **) = refuse_small_address_space;
#endif

void add_topology_arguments(CLI::App *command, slipstream::topology_arguments &arguments) {
  command->add_option("files", arguments.files, "topology files")->required();
  command->add_option("--set", arguments.overrides, "override a key: table.key=value")
      ->allow_extra_args(false);
}

/// What to say when the first word is no command; empty when it is one, or an option.
std::string unknown_command(const CLI::App &app, int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string> names;
  for (const auto *command : app.get_subcommands([](const CLI::App *) { return true; }))
    names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return "";
  return "error: there is no command \"" + std::string(argv[1]) + "\"." +
         slipstream::did_you_mean(argv[1], names) + " Commands: " + slipstream::listed(names);
}

/// The command as one would type it.
std::string command_line(int argc, char **argv) {
  std::string line = "slipstream";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n\"'\\$`&|;<>()*?[]{}#~!") == std::string::npos;
    line += plain ? " " + word : " '" + word + "'";
  }
  return line;
}

}  // namespace

int main(int argc, char **argv) {
  slipstream::open_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error with a text, not a death
  slipstream::set_thread_environment(argv);
  slipstream::install_last_words();
  CLI::App app("Slipstream: asynchronous RLHF and supervised fine-tuning on actors", "slipstream");
  app.require_subcommand(1);
  app.set_version_flag("--version", slipstream::version_text, "what this program is made of");
  slipstream::topology_arguments topologies;
  slipstream::generate_arguments generate;
  std::filesystem::path model, folder;
  std::string format = "mermaid", task;
  std::uint64_t seed = 1;

  auto *run = app.add_subcommand("run", "run one topology, or several in a row");
  add_topology_arguments(run, topologies);
  run->add_flag("--resume", topologies.resume, "go on where an interrupted run stopped");
  auto *launch = app.add_subcommand("launch", "run, with the nodes' processes started and ended");
  add_topology_arguments(launch, topologies);
  launch->add_flag("--resume", topologies.resume, "go on where an interrupted run stopped");
  slipstream::node_arguments process;
  auto *node = app.add_subcommand("node", "a process that a run places actors on");
  node->add_option("--name", process.name, "which [nodes.NAME] of the topology it is")->required();
  auto *join = node->add_option("--join", process.join, "HOST:PORT of the run");
  node->add_option("--listen", process.listen, "HOST:PORT where it waits for runs")->excludes(join);
  node->add_option("--certificate", process.certificate, "its certificate (PEM); none: this machine only");
  node->add_option("--key", process.key, "the certificate's key (PEM)");
  node->add_option("--authority", process.authority, "certificate that signed all nodes' (PEM)");
  node->add_option("--heartbeat", process.heartbeat, "seconds between signs of life (0.5)")
      ->check(CLI::Range(0.05, 3600.0));
  node->add_option("--timeout", process.timeout, "seconds without one until the run is taken for dead (5)")
      ->check(CLI::Range(0.1, 3600.0));
  node->add_option("--patience", process.patience, "seconds to look for a run; 0: for ever (60)")
      ->check(CLI::NonNegativeNumber);
  node->add_option("--threads", process.threads, "compute threads; default: as the run says")
      ->check(CLI::PositiveNumber);
  node->add_flag("--tied", process.tied, "leave when standard input ends, as at SIGTERM (launch gives it)");
  auto *check = app.add_subcommand("check", "check a topology before anything is loaded");
  add_topology_arguments(check, topologies);
  check->add_flag("--json", topologies.json, "print the result as JSON");
  auto *graph = app.add_subcommand("graph", "draw a topology");
  add_topology_arguments(graph, topologies);
  graph->add_option("--format", format, "mermaid, dot or svg")
      ->check(CLI::IsMember({"mermaid", "dot", "svg"}));
  auto *eval = app.add_subcommand("eval", "the held-out evaluation of a topology");
  add_topology_arguments(eval, topologies);
  eval->add_option("--model", model, "checkpoint folder (default: the run's last checkpoint)");
  auto *gen = app.add_subcommand("generate", "continue a prompt");
  gen->add_option("--model", generate.model, "Hugging Face folder")->required();
  auto *prompt = gen->add_option("--prompt", generate.prompt, "text to continue");
  auto *ids = gen->add_option("--ids", generate.ids, "token ids to continue: 1,2,3")->delimiter(',');
  prompt->excludes(ids);
  gen->add_option("--max-new-tokens", generate.max_new_tokens,
                  "default: up to 64, as far as the context reaches")
      ->check(CLI::PositiveNumber);
  gen->add_option("--min-new-tokens", generate.min_new_tokens)->check(CLI::NonNegativeNumber);
  gen->add_option("--temperature", generate.temperature, "0 is greedy")->check(CLI::NonNegativeNumber);
  gen->add_option("--top-k", generate.top_k)->check(CLI::NonNegativeNumber);
  gen->add_option("--top-p", generate.top_p)->check(CLI::Range(0.0, 1.0));
  gen->add_option("--min-p", generate.min_p)->check(CLI::Range(0.0, 1.0));
  gen->add_option("--seed", generate.seed);
  gen->add_option("--device", generate.device, "cpu or cuda:N");
  gen->add_flag("--exact", generate.exact, "sum in an order that depends on nothing else (CPU)");
  gen->add_flag("--json", generate.json, "print ids, log-probabilities and finish reason");
  slipstream::score_arguments score;
  auto *rate =
      app.add_subcommand("score", "log-probabilities or reward scores of JSON lines on standard input");
  rate->add_option("--model", score.model, "Hugging Face folder")->required();
  rate->add_option("--device", score.device, "cpu or cuda:N");
  rate->add_flag("--exact", score.exact, "sum in an order that depends on nothing else (CPU)");
  bool as_json = false;
  rate->add_flag("--json", as_json, "the output is JSON lines in any case");
  slipstream::export_arguments exported;
  auto *out = app.add_subcommand("export", "write a run's model as a Hugging Face folder, adapters merged");
  out->add_option("run", exported.from, "run folder, or a model folder")->required();
  out->add_option("--to", exported.to, "a new folder")->required();
  out->add_option("--dtype", exported.type, "float32, float16 or bfloat16");
  out->add_option("--shard-size", exported.shard_megabytes, "megabytes of weights a file holds at most")
      ->check(CLI::PositiveNumber);
  out->add_flag("--keep-adapter", exported.keep_adapter,
                "write LoRA adapters (PEFT) instead of merging them");
  auto *inspect = app.add_subcommand("inspect", "architecture, parameters and memory of a model folder");
  inspect->add_option("folder", model, "model folder, or a run folder")->required();
  inspect->add_flag("--json", as_json, "print JSON");
  slipstream::ledger_arguments books;
  auto *ledger = app.add_subcommand("ledger", "where a run's prompts are, by its journal");
  ledger->add_option("run", books.run, "run folder")->required();
  ledger->add_option("--prompt", books.prompt, "the history of one prompt, by its id")
      ->check(CLI::NonNegativeNumber);
  ledger->add_flag("--json", books.json, "print JSON");
  slipstream::replay_arguments again;
  auto *replay = app.add_subcommand("replay", "train again on what a run's journal holds, to the bit");
  replay->add_option("run", again.run, "run folder")->required();
  replay->add_option("--to", again.to, "a new folder for the replayed checkpoint");
  replay->add_option("--loss", again.loss, "what another loss would have made of the same rollouts");
  replay->add_option("--order", again.order, "another order of consumption: strict, windowed, completion");
  replay->add_option("--window", again.window, "groups, of --order windowed")->check(CLI::PositiveNumber);
  replay->add_option("--late-after", again.late_after, "versions, of --order completion")
      ->check(CLI::NonNegativeNumber);
  replay->add_option("--when-late", again.when_late, "of --order completion")
      ->check(CLI::IsMember({"wait", "drop", "accept"}));
  replay->add_option("--set", again.overrides, "another key on the same rollouts: table.key=value")
      ->allow_extra_args(false);
  auto *gradients = replay->add_flag("--gradients", again.gradients,
                                     "compare the gradient of each batch with one of fresh samples");
  replay->add_option("--every", again.every, "of every k-th batch only")
      ->needs(gradients)
      ->check(CLI::PositiveNumber);
  replay->add_option("--repeats", again.repeats, "fresh draws of each batch")
      ->needs(gradients)
      ->check(CLI::PositiveNumber);
  replay->add_option("--until", again.until, "stop after this update")->check(CLI::PositiveNumber);
  replay->add_flag("--json", again.json, "print JSON");
  slipstream::sweep_arguments laboratory;
  auto *sweep = app.add_subcommand("sweep", "run a grid of topologies over several seeds and compare them");
  sweep->add_option("file", laboratory.file, "topology file")->required();
  sweep->add_option("--vary", laboratory.vary, "a key and its values: table.key=a,b,c; may be repeated")
      ->allow_extra_args(false);
  sweep->add_option("--seeds", laboratory.seeds, "runs of each arm, from run.seed on (default: 1)")
      ->check(CLI::PositiveNumber);
  sweep->add_option("--set", laboratory.overrides, "override a key in all runs: table.key=value")
      ->allow_extra_args(false);
  sweep->add_option("--jobs", laboratory.jobs, "runs at the same time, which share the cores (default: 1)")
      ->check(CLI::PositiveNumber);
  sweep->add_option("--to", laboratory.to,
                    "folder of runs, table and plots (default: NAME-sweep in run.folder)");
  sweep->add_flag("--json", laboratory.json, "print the comparison as JSON");
  slipstream::tokenize_arguments words;
  auto *tokenize = app.add_subcommand("tokenize", "text to ids, or back, of JSON lines on standard input");
  tokenize->add_option("--model", words.model, "folder with a tokenizer.json")->required();
  auto *decode = tokenize->add_flag("--decode", words.decode, "ids to text");
  tokenize
      ->add_flag("--special", words.special, "add the special tokens that the model expects around a text")
      ->excludes(decode);
  tokenize->add_flag("--skip-special", words.skip_special, "leave special tokens out")->needs(decode);
  slipstream::tokenizer_train_arguments training;
  auto *tokenizers = app.add_subcommand("tokenizer", "make tokenizers");
  tokenizers->require_subcommand(1);
  auto *train = tokenizers->add_subcommand("train", "train a byte-level BPE tokenizer on files");
  train->add_option("files", training.files, "text or JSON Lines (every string counts), also gzip")
      ->required();
  train->add_option("--vocab-size", training.vocab_size, "tokens, 259 or more")->required();
  train->add_option("--to", training.to, "folder to write to (default: tokenizer)");
  train->add_option("--style", training.style, "how words are cut: gpt2 (default), llama3 or qwen");
  slipstream::certs_arguments nodes;
  auto *certs = app.add_subcommand("certs", "make a private authority and certificates for nodes");
  certs->add_option("names", nodes.names, "the nodes' names")->required();
  certs->add_option("--to", nodes.to, "folder to write to")->required();
  certs->add_option("--days", nodes.days, "that they are good for (default: 825)")
      ->check(CLI::Range(1, 36500));
  certs->add_flag("--json", nodes.json, "print what was made as JSON");
  auto *data = app.add_subcommand("data", "write the files of a made-up task");
  data->add_option("name", task, "the task: sort")->required();
  data->add_option("--to", folder, "folder to write to")->required();
  data->add_option("--seed", seed);
  std::string manual_format = "man";
  auto *manual = app.add_subcommand("manual", "print the manual page, or the completion of a shell");
  manual->add_option("--format", manual_format, "man (default) or bash")
      ->check(CLI::IsMember({"man", "bash"}));

  if (const auto wrong = unknown_command(app, argc, argv); !wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    return slipstream::finish_output(app.exit(problem) == 0 ? 0 : 2);
  }
  const bool json = laboratory.json || nodes.json;
  const bool files = *run || *launch || *node || *out || *train || *data || (!json && (*sweep || *certs));
  if (files && slipstream::output_is_closed()) slipstream::discard_output();  // what they make are files
  const auto ended = [&]() -> int {
    if (*manual) return slipstream::manual_command(app, manual_format);
    if (*run || *launch || *node || *eval || *gen || *rate || *replay || *sweep)
      slipstream::say(slipstream::blas_warning(slipstream::find_blas()));
    if (*run) return slipstream::run_command(topologies);
    if (*launch) {
      topologies.launch = true;
      return slipstream::run_command(topologies);
    }
    if (*node) return slipstream::node_command(process);
    if (*check) return slipstream::check_command(topologies);
    if (*graph) return slipstream::graph_command(topologies, format);
    if (*eval) return slipstream::eval_command(topologies, model);
    if (*gen) return slipstream::generate_command(generate);
    if (*rate) return slipstream::score_command(score);
    if (*out) return slipstream::export_command(exported);
    if (*ledger) return slipstream::ledger_command(books);
    if (*replay) return slipstream::replay_command(again);
    if (*sweep) {
      laboratory.command = command_line(argc, argv);
      return slipstream::sweep_command(laboratory);
    }
    if (*inspect) return slipstream::inspect_command(model, as_json);
    if (*tokenize) return slipstream::tokenize_command(words);
    if (*train) return slipstream::tokenizer_train_command(training);
    if (*certs) return slipstream::certs_command(nodes);
    return slipstream::data_command(task, folder, seed);
  };
  const int code = slipstream::run_and_tell(ended);
  if (slipstream::linked_system::any_left_behind()) {  // whose threads still use what exit() would take down
    std::fflush(nullptr);
    ::_exit(code);
  }
  return code;
}

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// What each command of the program is told, and the functions that carry the commands out. A function
/// answers with the exit code; input_error (code 2) and run_error (1) pass through. Commands that need
/// tensors have their function in the computing program; in the light one it starts that program
/// (actors/front/elsewhere.cpp).
namespace slipstream {

struct topology_arguments {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> overrides;  ///< table.key=value
};

struct run_arguments : topology_arguments {
  bool resume = false;
};
/// Runs topologies in a row.
int execute(const run_arguments &arguments);

/// Nodes' processes are started before each run and ended behind it.
struct launch_arguments : run_arguments {};
int execute(const launch_arguments &arguments);

struct check_arguments : topology_arguments {
  bool json = false;
};
int execute(const check_arguments &arguments);

struct graph_arguments : topology_arguments {
  std::string format = "mermaid";
};
int execute(const graph_arguments &arguments);

struct eval_arguments : topology_arguments {
  std::filesystem::path model;  ///< empty: the run's last checkpoint
};
int execute(const eval_arguments &arguments);

struct generate_arguments {
  std::filesystem::path model;
  std::string prompt;
  std::vector<std::int64_t> ids;
  std::int64_t max_new_tokens = 0;  ///< 0: up to 64, as far as the context reaches
  std::int64_t min_new_tokens = 0, top_k = 0;
  double temperature = 1.0, top_p = 1.0, min_p = 0.0;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  bool exact = false;
  bool json = false;
};
int execute(const generate_arguments &arguments);

struct bench_arguments {
  std::string what;  ///< decode, prefill or train
  std::filesystem::path model;
  std::int64_t threads = 1;
  std::vector<std::int64_t> batches{1, 8, 32, 64};
  std::int64_t prompt = 16, fresh = 48, group = 1;
  double temperature = 1.0, top_p = 1.0;
  std::string weights = "f32";  ///< f32, bf16 or int8
  std::int64_t repeats = 3;
  bool json = false;
};
int execute(const bench_arguments &arguments);

struct score_arguments {
  std::filesystem::path model;
  std::string device = "cpu";
  bool exact = false;
  bool json = true;  ///< the output is JSON lines in any case
};
/// Reads JSON lines {"text"} or {"ids"}, optionally "prompt", from standard input; prints a line for each.
int execute(const score_arguments &arguments);

struct export_arguments {
  std::filesystem::path from;  ///< a run folder or a model folder
  std::filesystem::path to;    ///< a new folder, or a new GGUF file
  std::string format = "folder";
  std::string type = "float32";  ///< of a folder
  std::string gguf_type;         ///< f32, f16, bf16 or q8_0
  std::int64_t shard_megabytes = 5000;
  bool keep_adapter = false;
};
int execute(const export_arguments &arguments);

struct inspect_arguments {
  std::filesystem::path folder;
  bool json = false;
};
/// What a model folder (or a run's last checkpoint) holds, and the memory it takes.
int execute(const inspect_arguments &arguments);

struct ledger_arguments {
  std::filesystem::path run;
  std::int64_t prompt = -1;  ///< one prompt's history; less than 0: the totals
  bool json = false;
};
int execute(const ledger_arguments &arguments);

/// `slipstream feedback`: it exports judgements from a book, imports them into one, or prints figures of
/// the people who gave them.
struct feedback_export_arguments {
  std::filesystem::path book, to;
  std::string form = "own";
  bool ties = false;
};
int execute(const feedback_export_arguments &arguments);
struct feedback_import_arguments {
  std::filesystem::path book, file;
  std::string annotator = "import";
};
int execute(const feedback_import_arguments &arguments);
struct feedback_stats_arguments {
  std::filesystem::path book;
  bool json = false;
};
int execute(const feedback_stats_arguments &arguments);

struct replay_arguments {
  std::filesystem::path run;
  std::filesystem::path to;             ///< where the replayed checkpoint goes; empty: nowhere
  std::string loss;                     ///< another loss on the same rollouts; empty: the run's own
  std::string order;                    ///< another order of consumption; empty: the run's own
  std::int64_t window = 0;              ///< of order windowed, groups; 0: the run's own
  std::int64_t late_after = -1;         ///< of order completion, versions; less than 0: the run's own
  std::string when_late;                ///< of order completion; empty: the run's own
  std::vector<std::string> overrides;   ///< other keys, as `--set` of a run
  bool gradients = false;               ///< compare every batch's gradient with fresh ones
  std::int64_t every = 1, repeats = 1;  ///< which batches' gradients, and how many draws of each
  std::int64_t until = 0;               ///< updates; 0: all
  bool json = false;
};
/// Trains again on what the journal holds. 0: the same weights, to the bit (or another loss was asked for);
/// 1: not.
int execute(const replay_arguments &arguments);

struct tokenize_arguments {
  std::filesystem::path model;  ///< a folder with a tokenizer.json
  bool decode = false;
  bool special = false;       ///< encode with what the post-processor adds
  bool skip_special = false;  ///< decode without special tokens
};
/// Reads JSON lines {"text"} (or {"ids"}) from standard input; prints {"ids"} (or {"text"}) for each.
int execute(const tokenize_arguments &arguments);

struct tokenizer_train_arguments {
  std::vector<std::filesystem::path> files;  ///< text or JSON Lines, also gzip
  std::int64_t vocab_size = 0;
  std::filesystem::path to = "tokenizer";
  std::string style = "gpt2";
};
int execute(const tokenizer_train_arguments &arguments);

struct sweep_arguments {
  std::filesystem::path file;
  std::vector<std::string> vary;       ///< table.key=a,b,c
  std::vector<std::string> overrides;  ///< table.key=value, of all runs
  std::int64_t seeds = 1;              ///< runs of an arm
  std::int64_t jobs = 1;               ///< runs at the same time, each with its share of the cores
  std::filesystem::path to;            ///< empty: NAME-sweep beside the topology's own run
  bool json = false;
  std::string typed;  ///< the command line
};
/// Runs every combination of the varied values with every seed, or goes on with what is missing, then
/// compares. 0: all runs have finished; 1: one failed; 130: interrupted.
int execute(const sweep_arguments &arguments);

struct node_arguments {
  std::string name, join, listen;  ///< HOST:PORT; one of the two is given
  std::string certificate, key, authority;
  double heartbeat = 0.5, timeout = 5, patience = 60;  ///< seconds
  std::int64_t threads = 0;
  bool tied = false;  ///< to its standard input
};
/// A process that runs place actors on.
int execute(const node_arguments &arguments);

struct certs_arguments {
  std::filesystem::path to;        ///< folder of the authority and of the nodes' files
  std::vector<std::string> names;  ///< of the nodes
  std::int64_t days = 825;         ///< that the nodes' certificates are good for
  bool json = false;
};
/// Makes a private authority, or takes the one that is there, and certificates for nodes.
int execute(const certs_arguments &arguments);

struct data_arguments {
  std::string task;
  std::filesystem::path folder;
  std::uint64_t seed = 1;
};
int execute(const data_arguments &arguments);

struct manual_arguments {
  std::string format = "man";  ///< or bash, zsh, fish
};
/// Prints the manual page, or a shell's completion script, of what the command line knows.
int execute(const manual_arguments &arguments);

}  // namespace slipstream

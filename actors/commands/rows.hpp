#pragma once

#include <vector>

#include "actors/commands/command.hpp"

namespace slipstream {

/// All commands, in the order in which help lists them; a group stands before its commands.
std::vector<command> command_rows();

// One row a file of this folder.
command run_row();
command launch_row();
command node_row();
command check_row();
command graph_row();
command eval_row();
command generate_row();
command bench_row();
command score_row();
command export_row();
command inspect_row();
command ledger_row();
command replay_row();
command sweep_row();
command tokenize_row();
command tokenizer_train_row();
command certs_row();
command data_row();
command feedback_export_row();
command feedback_import_row();
command feedback_stats_row();
command manual_row();

}  // namespace slipstream

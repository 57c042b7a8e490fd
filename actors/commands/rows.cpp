#include "actors/commands/rows.hpp"

namespace slipstream {

std::vector<command> command_rows() {
  return {run_row(),
          launch_row(),
          node_row(),
          check_row(),
          graph_row(),
          eval_row(),
          generate_row(),
          bench_row(),
          score_row(),
          export_row(),
          inspect_row(),
          ledger_row(),
          replay_row(),
          sweep_row(),
          tokenize_row(),
          {"tokenizer", "make tokenizers"},
          tokenizer_train_row(),
          certs_row(),
          data_row(),
          {"feedback", "people's judgements"},
          feedback_export_row(),
          feedback_import_row(),
          feedback_stats_row(),
          manual_row()};
}

}  // namespace slipstream

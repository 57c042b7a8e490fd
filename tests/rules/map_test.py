#!/usr/bin/env python3
"""Proves that the rule of the map can fail: missing, surplus, repeated and garbled rows are found."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import map as rule  # noqa: E402

HEAD = "/// | actor  | waits for\n/// |--------|----------\n"
ROWS = "/// | loader | a demand\n/// | ledger | room\n"
ALIASES = "using loader_actor = caf::typed_actor<a>;\nusing ledger_actor =\n    caf::typed_actor<b>;\nusing work_sink = c;\n"


class map_rule(unittest.TestCase):
    def test_a_whole_table_passes(self):
        self.assertEqual(rule.faults(HEAD + ROWS + ALIASES), [])

    def test_a_missing_row_is_found(self):
        self.assertEqual(rule.faults(HEAD + ROWS + ALIASES + "using join_actor = d;\n"), ["`using join_actor =`: no row"])

    def test_a_surplus_row_is_found(self):
        self.assertEqual(rule.faults(HEAD + ROWS + "/// | join | figures\n" + ALIASES),
                         ["row `join`: no `using join_actor =`"])

    def test_a_repeated_row_is_found(self):
        self.assertEqual(rule.faults(HEAD + ROWS + "/// | ledger | room\n" + ALIASES), ["row `ledger`: 2 times"])

    def test_rows_that_a_formatter_ran_into_each_other_are_found(self):
        garbled = "/// | loader | a demand | ledger | room\n"
        self.assertEqual(rule.faults(HEAD + garbled + ALIASES),
                         ["`using ledger_actor =`: no row", "row `loader`: 4 cells, not 2"])

    def test_a_file_without_a_table_is_refused(self):
        self.assertEqual(len(rule.faults(ALIASES)), 1)


if __name__ == "__main__":
    unittest.main()

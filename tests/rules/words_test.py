#!/usr/bin/env python3
"""Proves that the rule of old names can fail."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import words as rule  # noqa: E402


class words_rule(unittest.TestCase):
    def found(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            return [word for _, _, word in rule.faults(Path(folder), [name])]

    def test_an_old_name_is_found(self):
        self.assertEqual(self.found("actors/a.cpp", "conductor dials;\nspawn_stand_in(x);  // a stand-in\n"),
                         ["conductor", "spawn_stand_in", "stand-in"])
        self.assertEqual(self.found("docs/a.md", "brakes = []"), ["brakes"])

    def test_other_words_and_the_page_of_renames_pass(self):
        self.assertEqual(self.found("actors/a.cpp", "dialogue(spread, places);  // semiconductors"), [])
        self.assertEqual(self.found("docs/renamed.md", "`brakes`"), [])


if __name__ == "__main__":
    unittest.main()

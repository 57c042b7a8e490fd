#!/usr/bin/env python3
"""Proves that the rule of the quoted sources can fail."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import examples as rule  # noqa: E402

TREE = {"a.cpp": "int one() {\n  return 1;\n}\nint two();\n"}
DIFF = "```diff\n--- a/a.cpp\n+++ b/a.cpp\n@@\n-int zero();\n+int one() {\n+   return 1;\n int two();\n```\n"


class examples_rule(unittest.TestCase):
    def found(self, page):
        return rule.faults(page, TREE.__getitem__)

    def test_what_is_there_passes(self):
        self.assertEqual(self.found(DIFF), [])
        self.assertEqual(self.found("```cpp\n// a.cpp\n" + TREE["a.cpp"] + "```\n"), [])
        self.assertEqual(self.found("```cpp\n// part of a.cpp\nint two();\n```\n"), [])

    def test_a_line_that_is_gone_is_found(self):
        self.assertEqual(self.found(DIFF.replace("return 1", "return 2")), ["a.cpp has no line `return 2;`"])

    def test_a_file_that_has_changed_is_found(self):
        self.assertEqual(len(self.found("```cpp\n// a.cpp\nint two();\n```\n")), 1)
        self.assertEqual(len(self.found("```cpp\n// part of a.cpp\nint three();\n```\n")), 1)


if __name__ == "__main__":
    unittest.main()

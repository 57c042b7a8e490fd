#!/usr/bin/env python3
"""Proves that the count of names can fail: each bad line is counted, good ones are not."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import names  # noqa: E402

GOOD = [
    ("actors/a.cpp", 'kind.name = "sampler";'),
    ("actors/a.cpp", "if (actor.facts.role == actor_role::sampler) return;"),
    ("actors/a.cpp", "if (row.kind == input_kind::pairs) return;"),
    ("actors/a.cpp", "auto s = config.settings();  // (actor_config &config)"),
    ("runtime/kinds/a.cpp", "auto s = config.settings();"),
    ("runtime/schedule/orders.cpp", 'if (order == "strict") return;'),
    ("models/a.cpp", 'if (kind == "sampler") return;'),
]
BAD = [
    ("kind", "actors/a.cpp", 'if (actor.kind == "sampler") return;'),
    ("kind", "actors/a.cpp", 'if (giver->kind.rfind("advantage.", 0) == 0) return;'),
    ("kind", "runtime/topology/a.cpp", 'const auto *sampler = upstream(learner(), "sampler");'),
    ("order", "runtime/topology/a.cpp", 'if (schedule.order != "windowed") return;'),
    ("order", "actors/a.cpp", 'if (order.name == "completion") return;'),
    ("read", "actors/a.cpp", 'const auto model = text_key(actor, "model");'),
    ("read", "actors/a.cpp", "auto s = self.settings();"),
]


class names_rule(unittest.TestCase):
    def counted(self, file, line):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / file
            path.parent.mkdir(parents=True)
            path.write_text(("void read(actor_config &config) {\n" if "(actor_config &config)" in line else "") + line + "\n")
            return [each[0] for each in names.found(Path(name))]

    def test_what_asks_by_name_is_counted(self):
        for what, file, line in BAD:
            self.assertEqual(self.counted(file, line), [what], line)

    def test_what_does_not_is_not(self):
        for file, line in GOOD:
            self.assertEqual(self.counted(file, line), [], line)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Proves that the include rule can fail: each bad file, in a tree that is otherwise good, is reported, alone."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import include_rule  # noqa: E402

GOOD = {
    "models/README.md": "Models.\n",
    "runtime/README.md": "Runtime.\n",
    "actors/README.md": "Actors.\n",
    "models/types.hpp": '#pragma once\n#include <ATen/core/Tensor.h>\n#include <vector>\n',
    "models/files/reader.cpp": '#include <fcntl.h>\n#include <nlohmann/json.hpp>\n#include "models/types.hpp"\n',
    "models/network/kernels.cpp": "#include <cblas.h>\n",
    "runtime/types.hpp": '#include "models/types.hpp"\n',
    "runtime/topology/parse.cpp": '#include <toml++/toml.h>\n#include "runtime/types.hpp"\n',
    "runtime/http/server.cpp": "#include <boost/asio.hpp>\n",
    "runtime/messages.hpp": "#include <caf/all.hpp>\n",
    "actors/interfaces.hpp": '#include <caf/all.hpp>\n#include "runtime/types.hpp"\n',
    "actors/compute.hpp": "template <class T>\nhandle spawn_compute(caf::actor_system &system, T behave);\n",
    "actors/buffer.hpp": "buffer_actor spawn_buffer(caf::actor_system &system);\n",
    "actors/learner.hpp": '#include "actors/compute.hpp"\nlearner_actor spawn_learner(caf::actor_system &system,\n'
                          "                            bool detached);\n",
    "actors/supervisor.hpp": "supervisor_actor spawn_supervisor(caf::actor_system &system);\n",
    "actors/supervisor.cpp": '#include "actors/buffer.hpp"\n#include "actors/learner.hpp"\n',
    "actors/kinds/learning.cpp": '#include "actors/learner.hpp"\n',
    "actors/learner.cpp": '#include "actors/learner.hpp"\n#include "actors/interfaces.hpp"\n',
    "actors/commands/rows.cpp": "#include <CLI/CLI.hpp>\n",
    "actors/main.cpp": '#include "models/light.hpp"\n',
    "models/light.hpp": "#include <vector>\n",
    "models/light.cpp": '#include "models/light.hpp"\n',
    "cmake/core.cmake": "set(SLIPSTREAM_CORE\n  models/light.cpp)\n",
    "tests/models/types.cpp": '#include "models/types.hpp"\n#include "tests/support/test.hpp"\n',
    "tests/support/test.hpp": "#include <catch2/catch.hpp>\n",
}

# (file, its text, a part of the message)
BAD = [
    ("actors/main.cpp", '#include "models/types.hpp"\n', "actors/main.cpp -> models/types.hpp -> ATen/core/Tensor.h"),
    ("models/light.cpp", "#include <ATen/core/Tensor.h>\n", "needs no tensor and no actor"),
    ("runtime/a.cpp", "#include <CLI/CLI.hpp>\n", "is not for runtime/"),
    ("models/a.cpp", '#include "runtime/types.hpp"\n', "models/ may not include runtime/"),
    ("models/a.cpp", '#include "actors/interfaces.hpp"\n', "models/ may not include actors/"),
    ("models/a.cpp", "#include <caf/all.hpp>\n", "<caf/all.hpp> is not for models/"),
    ("models/a.cpp", "#include <boost/asio.hpp>\n", "is not for models/"),
    ("models/a.cpp", "#include <toml++/toml.h>\n", "is not for models/"),
    ("models/a.cpp", "#include <thread>\n", "no threads and no clocks"),
    ("models/a.cpp", "  #  include <chrono>\n", "no threads and no clocks"),
    ("models/network/a.cpp", "#include <nlohmann/json.hpp>\n", "is for models/ files that match"),
    ("models/network/a.cpp", "#include <cblas.h>\n", "is for models/ files that match"),
    ("models/a.cpp", '#include "types.hpp"\n', "quoted includes start at the root"),
    ("models/a.cpp", "#include <models/types.hpp>\n", "is ours"),
    ("models/a.cpp", "#include <ATen/ATen.h>\nconst at::NoGradGuard off;\n", "grad_mode.h"),
    ("models/a.hpp", "#include <torch/torch.h>\n", "costs every file 26 s"),
    ("tests/models/a.hpp", "#include <torch/torch.h>\n", "costs every file 26 s"),
    ("runtime/a.cpp", '#include "actors/interfaces.hpp"\n', "runtime/ may not include actors/"),
    ("runtime/a.cpp", '#include "tests/support/test.hpp"\n', "runtime/ may not include tests/"),
    ("runtime/a.cpp", "#include <caf/all.hpp>\n", "is for runtime/ files that match"),
    ("runtime/a.cpp", "#include <boost/asio.hpp>\n", "is for runtime/ files that match"),
    ("runtime/a.cpp", "#include <CLI/CLI.hpp>\n", "is not for runtime/"),
    ("runtime/topology/parse.hpp", "#include <toml++/toml.h>\n", "is for runtime/ files that match"),
    ("runtime/a.cpp", "#include <toml++/toml.h>\n", "one unit of runtime/"),
    ("actors/a.cpp", "#include <toml++/toml.h>\n", "is not for actors/"),
    ("actors/a.cpp", "#include <boost/asio.hpp>\n", "is not for actors/"),
    ("actors/a.cpp", "#include <CLI/CLI.hpp>\n", "is for actors/ files that match"),
    ("actors/learner.cpp", '#include "actors/buffer.hpp"\n', "belongs to another actor"),
    ("runtime/README.md", "line\n" * 61, "at most 60"),
    ("tests/README.md", "line\n" * 61, "at most 60"),
    ("runtime/README.md", None, "missing"),
]


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")


class IncludeRuleTest(unittest.TestCase):
    def reported(self, extra):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), GOOD)
            write(Path(folder), extra)
            return list(include_rule.violations(Path(folder)))

    def test_a_good_tree_has_no_violation(self):
        self.assertEqual(self.reported({}), [])

    def test_every_bad_file_is_reported(self):
        for name, text, message in BAD:
            with self.subTest(name=name, text=text and text.splitlines()[0]):
                found = self.reported({name: text})
                self.assertTrue(any(n == name and message in m for n, _, m in found), found)
                self.assertLessEqual(len({m for _, _, m in found}), 1, found)

    def test_too_many_files_with_torch_h(self):
        files = {f"models/heavy{i}.cpp": "#include <torch/torch.h>\n" for i in range(11)}
        self.assertEqual(sum("more than 10" in message for _, _, message in self.reported(files)), 1)


if __name__ == "__main__":
    unittest.main()

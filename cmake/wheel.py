"""Prints the folder of the `torch` that this Python imports, or says why Slipstream cannot be built on it."""
import os
import sys

OLDEST = (2, 7)  # the first that PyPI has with the C++11 ABI, which the system's libraries have

try:
    import torch
except ImportError as problem:
    sys.exit(f"{sys.executable} has no torch that loads: {problem}")
folder = os.path.dirname(torch.__file__)
if tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) < OLDEST:
    sys.exit(f"torch {torch.__version__} in {folder} is older than 2.7")
if not torch._C._GLIBCXX_USE_CXX11_ABI:
    sys.exit(f"torch {torch.__version__} in {folder} was built with the old C++ ABI, which the system's libraries lack")
if not os.path.exists(os.path.join(folder, "lib", "libtorch.so")):
    sys.exit(f"there is no libtorch.so in {folder}/lib")
print(folder)

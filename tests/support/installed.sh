#!/bin/bash
# installed.sh BUILD SOURCE GENERATOR COMPILER PREFIX_PATH : installs BUILD into a temporary prefix, then builds and
# runs programs outside the tree that find Slipstream with find_package: one that uses the headers, and
# examples/embed.cpp where there is one.
set -euo pipefail
build=$1 source=$2 generator=$3 compiler=$4 prefix_path=$5

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
prefix="$folder/a prefix"
cmake --install "$build" --prefix "$prefix" >"$folder/install.log" 2>&1 || { cat "$folder/install.log"; exit 1; }
mkdir "$folder/project"
cd "$folder/project"

cat >uses.cpp <<'CPP'
#include <ATen/core/Tensor.h>

#include <iostream>

#include "models/types.hpp"
#include "runtime/types.hpp"

int main() {
  slipstream::rollout_group group;
  group.rollouts.emplace_back();
  std::cout << slipstream::to_string(group.rollouts.front().reason) << '\n';
}
CPP
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(uses_slipstream LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(slipstream REQUIRED)
find_package(slipstream REQUIRED)  # twice, as two parts of a project would
foreach(source ${PROGRAMS})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE slipstream::slipstream)
endforeach()
CMAKE

programs=uses.cpp
if [ -e "$source/examples/embed.cpp" ]; then
  cp "$source/examples/embed.cpp" .
  programs+=";embed.cpp"
fi
cmake -G "$generator" -B build -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release "-DPROGRAMS=$programs" \
  "-DCMAKE_PREFIX_PATH=$prefix;$prefix_path"
cmake --build build

[ "$(build/uses)" = length ]
[ ! -e embed.cpp ] || build/embed | grep '"status": "finished"'
"$prefix/bin/slipstream" --help >/dev/null
said=$("$prefix/bin/slipstream" inspect /nowhere 2>&1) || true  # by the computing program
grep -q "neither a run folder" <<<"$said" || { echo "$said"; exit 1; }
if command -v pkg-config >/dev/null && [ -n "$(find "$prefix" -name slipstream.pc)" ]; then
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name slipstream.pc)")
  export PKG_CONFIG_PATH
  eval "flags=($(pkg-config --cflags --libs slipstream))"  # its quotes are for a shell
  "$compiler" -std=c++20 uses.cpp -o by_hand "${flags[@]}" "-Wl,-rpath,$(dirname "$PKG_CONFIG_PATH")"
  [ "$(./by_hand)" = length ]
fi
for file in models/types.hpp runtime/types.hpp actors/interfaces.hpp; do
  [ -e "$prefix/include/slipstream/$file" ] || { echo "not installed: $file"; exit 1; }
done
echo "The installed tree works: $programs"

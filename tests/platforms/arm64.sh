#!/bin/bash
# Slipstream for arm64: cross-compiled against Debian's arm64 packages, its tests of models and runtime run under qemu-user.
# By hand, as root, on Debian 12 (the emulated tests take long):
#   apt-get install debootstrap g++-aarch64-linux-gnu qemu-user-static
#   tests/platforms/arm64.sh [build | test [CTEST ARGUMENTS]]
# All lies under build/elsewhere/arm64; it goes on where an earlier call was stopped.
# shellcheck disable=SC2031
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
place=$PWD/build/elsewhere/arm64
root=$place/root triple=aarch64-linux-gnu
step() { printf '==> %s\n' "$*" >&2; }

# Only unpacked: nothing of it runs but under qemu-user.
if [ ! -e "$root" ]; then
  step "Fetching arm64 packages into $root"
  rm -rf "$root.part"
  mkdir -p "$place"
  # the packages of cmake/packages.txt that are libraries, and the compiler's own
  # shellcheck disable=SC2030,SC2031
  wanted=$(. cmake/deps.sh; wanted_packages system | grep -E '^(lib|catch2|nlohmann|zlib)' |
    sed 's/.*libboost1.81-dev.*/libboost1.81-dev/' | paste -sd,)
  debootstrap --foreign --arch=arm64 --variant=minbase --include="$wanted,libstdc++-12-dev,libgomp1" bookworm \
    "$root.part" >"$place/debootstrap.log" 2>&1
  for package in "$root.part"/var/cache/apt/archives/*.deb; do dpkg -x "$package" "$root.part"; done
  rm -f "$root.part"/var/cache/apt/archives/*.deb
  mv "$root.part" "$root"
fi
for library in "$root/usr/lib/$triple"/openblas-openmp/*.so.[0-9]; do  # links that the packages' scripts would make
  ln -sf "openblas-openmp/$(basename "$library")" "$root/usr/lib/$triple/"
done
cat >"$place/toolchain.cmake" <<CMAKE
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER $triple-g++)
set(CMAKE_C_COMPILER $triple-gcc)
set(CMAKE_SYSROOT $root)
set(CMAKE_LIBRARY_ARCHITECTURE $triple)
set(CMAKE_FIND_ROOT_PATH $root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L $root)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,$root/usr/lib/$triple")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-Wl,-rpath-link,$root/usr/lib/$triple")
CMAKE

command=${1:-test}
shift || true
step "Configuring"
cmake -S . -B "$place/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON \
  "-DCMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache" \
  -DCMAKE_TOOLCHAIN_FILE="$place/toolchain.cmake" >"$place/configure.log" 2>&1 || { cat "$place/configure.log" >&2; exit 1; }
step "Building"
cmake --build "$place/build" -j "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" --target slipstream_program tests_models tests_runtime
[ "$command" = test ] || exit 0
step "Testing under qemu-user"
QEMU_LD_PREFIX=$root ctest --test-dir "$place/build" --output-on-failure --timeout 7200 -R '^(models|runtime)/' "$@"

#!/bin/bash
# Builds, tests and times Slipstream on a machine with a GPU, a LibTorch 2.x Python wheel and no package registry.
# docs/gpu.md says how to come by the packages. Nothing outside the build folder is written.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: tests/gpu/run.sh [OPTIONS]
  --packages FILE_OR_FOLDER  what tests/gpu/pack.sh made (build/gpu-packages.tar.gz)
  --python PROGRAM           the Python that has torch (python3)
  --device DEVICE            where the quickstart computes (cuda:0)
  --build FOLDER             (build/gpu)
  --jobs N                   compile and test jobs (all cores)
  --only LIST                comma-separated steps: build, test, quickstart (all)
HELP
}

root=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
packages=$root/build/gpu-packages.tar.gz python=python3 device=cuda:0 build=$root/build/gpu jobs=$(nproc)
only=build,test,quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --packages) packages=$2 ;;
    --python) python=$2 ;;
    --device) device=$2 ;;
    --build) build=$2 ;;
    --jobs) jobs=$2 ;;
    --only) only=$2 ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
  shift 2 || { usage >&2; exit 2; }
done
packages=$(realpath -m -- "$packages")
build=$(realpath -m -- "$build")
cd "$root"

fail() { echo "gpu/run.sh: error: $*" >&2; exit 1; }
rows=()
failures=0
# timed NAME COMMAND... : runs it, keeps its result and seconds for the table.
timed() {
  local name=$1 started=$SECONDS result=passed
  shift
  printf '\n==> %s\n' "$name"
  "$@" || { result="FAILED ($?)"; failures=$((failures + 1)); }
  rows+=("$(printf '| %-26s | %-12s | %7d |' "$name" "$result" $((SECONDS - started)))")
}
wanted() { [[ ,$only, == *,$1,* ]]; }

torch=$("$python" cmake/wheel.py) || fail "choose another Python with --python"
described=$("$python" -c 'import sys, torch
print(torch.__version__)
print(torch.cuda.get_device_name(sys.argv[1]) if sys.argv[1].startswith("cuda") and torch.cuda.is_available() else "none")
' "$device")
{ read -r version; read -r gpu; } <<<"$described"
[[ $device != cuda* || $gpu != none ]] || fail "torch $version sees no GPU for $device; --device cpu runs without one"
echo "torch $version in $torch, $device: $gpu"

command -v cmake >/dev/null || fail "no cmake; 'pip install cmake' has one"
printf '3.25\n%s\n' "$(cmake --version | awk 'NR == 1 {print $3}')" | sort -C -V || fail "cmake 3.25 or later is needed"
generator='Unix Makefiles' keep_going=(-k)
if command -v ninja >/dev/null; then generator=Ninja keep_going=(-k 0); fi

mkdir -p "$build"
if [ -f "$packages" ]; then
  rm -rf "$build/packages"
  tar -C "$build" -xf "$packages"
  packages=$build/packages
fi
[ -d "$packages/usr/include/caf" ] || fail "no packages in $packages: make them with tests/gpu/pack.sh on Debian 12"
libraries=$packages/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# shellcheck disable=SC2317  # called through timed
configure_and_build() {
  cmake -S . -B "$build/tree" -G "$generator" -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_PREFIX_PATH=$packages/usr" -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu \
    "-DCMAKE_INCLUDE_PATH=$packages/usr/include" "-DCMAKE_LIBRARY_PATH=$libraries" \
    "-DSLIPSTREAM_TORCH_FOLDER=$torch" -DPython3_EXECUTABLE="$(command -v "$python")" &&
    cmake --build "$build/tree" -j "$jobs" -- "${keep_going[@]}"
}
# stage NAME: one topology of the quickstart, its compute actors on the device.
# shellcheck disable=SC2317
stage() {
  local options
  mapfile -t options < <("$python" tests/gpu/stages.py "configs/quickstart/$1.toml" "$device")
  "$build/tree/slipstream" run "configs/quickstart/$1.toml" --set "run.folder=$build/runs" "${options[@]}"
}

if wanted build; then timed build configure_and_build; fi
[ "$failures" -eq 0 ] || fail "the build failed (above)"
if wanted test; then timed tests ctest --test-dir "$build/tree" --output-on-failure -j "$jobs"; fi
if wanted quickstart; then
  rm -rf "$build/runs"
  for name in sft reward rlhf; do timed "quickstart $name, $device" stage "$name"; done
fi

printf '\ntorch %s, %s, %s cores\n| %-26s | %-12s | %7s |\n|%s|%s|%s|\n' "$version" "$gpu" "$(nproc)" \
  what result seconds "$(printf -- '-%.0s' {1..28})" "$(printf -- '-%.0s' {1..14})" "$(printf -- '-%.0s' {1..8}):"
printf '%s\n' "${rows[@]}"
exit $((failures > 0))

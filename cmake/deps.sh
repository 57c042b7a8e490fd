# shellcheck shell=bash
# What ./dev installs: packages of the system (packages.txt) and, when asked for, LibTorch as a Python wheel. Sourced by ./dev.

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -- "$@"
  fi
}
can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
known_to_apt() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# wanted_packages KIND_OF_TORCH: the lines of packages.txt that count, without comments.
wanted_packages() {
  awk -v wanted="[torch $1]" '/^\[/ {skip = $0 != wanted; next} !skip {sub(/#.*/, ""); gsub(/ /, ""); if ($0) print}' \
    cmake/packages.txt
}

# missing_packages KIND_OF_TORCH: the lines of which no name is installed.
missing_packages() {
  local line name names
  wanted_packages "$1" | while read -r line; do
    IFS='|' read -ra names <<<"$line"
    for name in "${names[@]}"; do installed "$name" && continue 2; done
    echo "$line"
  done
}

# first_known LINE: the first of its names that apt knows.
first_known() {
  local name names
  IFS='|' read -ra names <<<"$1"
  for name in "${names[@]}"; do
    if known_to_apt "$name"; then echo "$name"; return; fi
  done
  fail "apt knows no package ${1//|/, } (cmake/packages.txt); Debian 12 and later have it"
}

# Says on a system without apt what to install, in its names where they are known.
name_packages() {
  local system line
  if [ "$(uname -s)" != Linux ]; then
    fail "Slipstream runs on Linux alone: it needs memfd_create, /proc/self/exe and prctl (docs/platforms.md)"
  fi
  # shellcheck disable=SC1091
  system=$(. /etc/os-release 2>/dev/null && echo "$ID ${ID_LIKE:-}") || true
  for system in $system; do
    line=$(grep "^$system: " cmake/packages-other.txt) || continue
    fail "this system has no apt. Nobody has built Slipstream on it yet; these packages should do (as root):
  ${line#*: }
CAF 0.17.6 has to be built from its sources. Then: ./dev COMMAND --no-deps --torch wheel"
  done
  fail "this system has no apt: install the counterparts of cmake/packages.txt, then: ./dev COMMAND --no-deps"
}

# install_packages KIND_OF_TORCH
install_packages() {
  command -v apt-get >/dev/null || name_packages
  local missing line chosen=()
  mapfile -t missing < <(missing_packages "$1")
  if [ ${#missing[@]} -gt 0 ]; then
    can_be_root || fail "packages are missing and there is neither root nor sudo; as root, run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]%%|*}"
    as_root apt-get -qq update
    for line in "${missing[@]}"; do chosen+=("$(first_known "$line")"); done
    step "Installing ${#chosen[@]} packages: ${chosen[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${chosen[@]}"
  fi
}

# LibTorch and the OpenMP build of OpenBLAS share one thread pool; apt's alternatives prefer the pthread build, whose
# second pool makes training about half as fast. A choice that somebody made by hand is left alone.
select_blas() {
  command -v update-alternatives >/dev/null || return 0
  local name query wanted
  while read -r name; do
    query=$(update-alternatives --query "$name")
    [[ $(grep -m1 '^Value:' <<<"$query") != *openmp* ]] || continue
    wanted=$(sed -n 's/^Alternative: \(.*openblas-openmp.*\)/\1/p' <<<"$query")
    [ -n "$wanted" ] || continue
    if [[ $query == *"Status: auto"* ]] && can_be_root; then
      step "Selecting the OpenMP build of OpenBLAS for $name"
      as_root update-alternatives --set "$name" "$wanted" >/dev/null
    else
      note "note: $name is not the OpenMP build of OpenBLAS, training will be slow; as root, run:"
      note "  update-alternatives --set $name $wanted"
    fi
  done < <(update-alternatives --get-selections | awk '$1 ~ /^(libblas|liblapack|libopenblas)\.so\.[0-9]+-/ {print $1}')
}

# complete_cuda_headers VENV: the wheels for CUDA 12 bring all headers that NCCL's need but for those of one package.
complete_cuda_headers() {
  local version
  version=$("$1/bin/pip" list --format=freeze | sed -n 's/^nvidia-cuda-runtime-cu12==\([0-9]*\.[0-9]*\).*/\1/p')
  [ -z "$version" ] || "$1/bin/pip" install --no-cache-dir --no-deps "nvidia-cuda-cccl-cu12==$version.*" ||
    note "note: without the headers of nvidia-cuda-cccl-cu12 ranks on GPUs are left out"
}

# install_wheel VERSION: torch of that version (empty: the newest) in a virtual environment under build/torch/. Sets
# torch_folder.
install_wheel() {
  local place=build/torch/wheel${1:+-$1}
  if [ ! -e "$place/complete" ]; then
    step "Installing torch ${1:-(the newest)} from PyPI into $place (several GB with its CUDA libraries)"
    rm -rf "$place"
    python3 -m venv "$place" || fail "python3 -m venv failed: the package python3-venv (or its like) is needed"
    "$place/bin/pip" install --no-cache-dir "torch${1:+==$1.*}" ||
      fail "pip could not install torch ${1:-} (above)"
    complete_cuda_headers "$place"
    touch "$place/complete"
  fi
  torch_folder=$("$place/bin/python" cmake/wheel.py) || fail "the wheel in $place cannot be used (above)"
}

# The LibTorch that a build folder was configured with last; nothing: the system's.
configured_torch() {
  sed -n 's/^SLIPSTREAM_TORCH_FOLDER:[A-Z]*=//p' "build/$1/CMakeCache.txt" 2>/dev/null || true
}

has_system_torch() {
  command -v apt-get >/dev/null || return
  installed libtorch-dev || known_to_apt libtorch-dev || { as_root apt-get -qq update; known_to_apt libtorch-dev; }
}

# default_torch PRESET: a build folder keeps the LibTorch it has; a new one takes the system's, or a wheel where there is none.
default_torch() {
  local folder
  folder=$(configured_torch "$1")
  if [ -n "$folder" ]; then
    echo "$folder"
  elif [ -e "build/$1/CMakeCache.txt" ] || has_system_torch; then
    echo system
  else
    note "note: this system has no package of LibTorch, so a Python wheel is taken (--torch wheel)"
    echo wheel
  fi
}

# choose_torch CHOICE: sets torch_folder (empty: the system's LibTorch).
choose_torch() {
  case $1 in
    system) torch_folder= ;;
    wheel) install_wheel "" ;;
    wheel=*) install_wheel "${1#wheel=}" ;;
    *)
      [ -e "$1/lib/libtorch.so" ] || fail "--torch $1: give system, wheel, wheel=VERSION, or a folder with lib/libtorch.so"
      # shellcheck disable=SC2034  # ./dev reads it
      torch_folder=$(readlink -f -- "$1")
      ;;
  esac
}

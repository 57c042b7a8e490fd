#!/bin/bash
# pack.sh [OUTPUT] : packs the libraries that a build needs beside LibTorch and a compiler, as unpacked Debian
# packages, for a machine without any package registry (docs/gpu.md). Run it on Debian 12 (amd64); needs no root.
# OUTPUT is build/gpu-packages.tar.gz when not given.
set -euo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
output=$(realpath -m -- "${1:-$root/build/gpu-packages.tar.gz}")

# What the other machine has of its own: tools, LibTorch with its BLAS, the C and C++ libraries, OpenSSL 3.
brought='^(ca-certificates|ccache|clang-format|cmake|g\+\+|git|mold|ninja-build|python3|libgloo-dev|libtorch-dev|libopenblas.*)$'
system='^(libc6.*|libgcc-s1|libstdc\+\+.*|libgomp1|libssl3|gcc-.*-base|linux-libc-dev|libcrypt.*|zlib1g)$'

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
# Breadth first over the packages' dependencies.
mapfile -t queue < <(sed 's/#.*//' "$root/cmake/packages.txt" | awk 'NF {print $1}' | grep -vE "$brought")
declare -A seen=()
while [ ${#queue[@]} -gt 0 ]; do
  package=${queue[0]}
  queue=("${queue[@]:1}")
  [ -z "${seen[$package]:-}" ] || continue
  seen[$package]=1
  mapfile -t -O ${#queue[@]} queue < <(
    apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$package" |
      sed -n 's/^  Depends: \([^<]*\)$/\1/p' | grep -vE "$system" || true)
done
mapfile -t packages < <(printf '%s\n' "${!seen[@]}" | sort)

echo "packing ${packages[*]}"
(cd "$folder" && apt-get -qq download "${packages[@]}")
mkdir "$folder/packages"
for package in "$folder"/*.deb; do
  dpkg -x "$package" "$folder/packages"
done
rm -rf "$folder/packages/usr/share/doc" "$folder/packages/usr/share/man" "$folder/packages/usr/share/lintian"
mkdir -p "$(dirname -- "$output")"
tar -C "$folder" --owner=0 --group=0 --sort=name -czf "$output" packages
echo "$output: $(du -h -- "$output" | cut -f1), ${#packages[@]} packages"

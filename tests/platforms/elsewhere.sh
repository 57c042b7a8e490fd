#!/bin/bash
# Slipstream on a fresh system: ./dev elsewhere. Everything lies under build/elsewhere/SYSTEM; what is mounted is mounted in
# a namespace of its own, so that it is gone when this program ends, however it ends.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."

usage() {
  cat <<'HELP'
usage: ./dev elsewhere SYSTEM [COMMAND...]

Runs commands of ./dev in a fresh minimal system (debootstrap), on a copy of this working tree: what git tracks and what it
does not ignore. Without COMMAND: quickstart, then test.

  SYSTEM    debian12, debian13 or sid; with -wheel-VERSION (debian13-wheel-2.10) LibTorch comes from PyPI; wheel-VERSION is
            debian12-wheel-VERSION
  COMMAND   quickstart, test, build, check, or a command line in quotes ("ctest --test-dir build/release -L fast"); shell
            opens a shell

It goes on where an earlier call was stopped: the system, its packages, the compiler's cache and the build stay in
build/elsewhere/SYSTEM (delete the folder to begin afresh) and it prints a line for the table of docs/platforms.md. It needs
root or sudo, and debootstrap. CXX and CC name another compiler, which is installed (CXX=clang++-16 CC=clang-16).
HELP
}
step() { printf '==> %s\n' "$*" >&2; }
# contained COMMAND...: runs it in a namespace of mounts and processes. The namespace's first process dies with this one, and all
# in it with that one: nothing keeps running and nothing stays mounted.
contained() {
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child "$@" 9>&- &
  local inner=$! result=0
  # shellcheck disable=SC2064  # the number of now
  trap "kill -9 $inner 2>/dev/null; exit 130" INT TERM
  wait "$inner" 2>/dev/null || result=$?
  trap - INT TERM
  return $result
}
fail() { printf 'elsewhere: error: %s\n' "$*" >&2; exit 1; }

system=${1:-}
case $system in
  "" | -h | --help | help) usage; exit ;;
esac
shift
[ "$(id -u)" -eq 0 ] || exec sudo --preserve-env=CC,CXX,http_proxy,https_proxy bash "${BASH_SOURCE[0]}" "$system" "$@"
[[ $system =~ ^((debian12|debian13|sid)-?)?(wheel-([0-9.]+))?$ ]] || { usage >&2; fail "no system '$system'"; }
base=${BASH_REMATCH[2]:-debian12} wheel=${BASH_REMATCH[4]}
declare -A suites=([debian12]=bookworm [debian13]=trixie [sid]=sid)
place=build/elsewhere/$base${wheel:+-wheel-$wheel}
root=$place/root
[ $# -gt 0 ] || set -- quickstart test

for tool in debootstrap unshare; do
  command -v $tool >/dev/null || fail "$tool is missing: apt-get install debootstrap util-linux"
done
mkdir -p "$place/ccache" "$place/pip"
exec 9>"$place/lock"
flock -n 9 || fail "another ./dev elsewhere $system runs"

if [ ! -e "$root" ]; then
  step "Fetching a minimal ${suites[$base]} into $root"
  rm -rf "$root.part"
  contained debootstrap --variant=minbase --include=ca-certificates "${suites[$base]}" "$root.part" \
    >"$place/debootstrap.log" 2>&1 ||
    { tail -n 20 "$place/debootstrap.log" >&2; fail "debootstrap failed (above, and $place/debootstrap.log)"; }
  mv "$root.part" "$root"
fi

# The working tree as it is; what a build left in the copy stays, and files keep their times, so that only what has changed
# is compiled again.
step "Copying the working tree"
rm -rf "$root/slipstream.new"
mkdir -p "$root/slipstream.new"
git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar --null --files-from=- --create | tar -x -C "$root/slipstream.new"
for kept in build runs; do
  [ ! -e "$root/slipstream/$kept" ] || mv "$root/slipstream/$kept" "$root/slipstream.new/"
done
rm -rf "$root/slipstream"
mv "$root/slipstream.new" "$root/slipstream"
# a mirror of sid that lags behind is as good as a current one here
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/elsewhere"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# as an installer does: a machine knows itself by its name
grep -qsw "$(hostname)" "$root/etc/hosts" || printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(hostname)" >>"$root/etc/hosts"
cp tests/platforms/inside.sh "$root/inside.sh"

step "In $base${wheel:+ with torch $wheel}: $*"
settings=(HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CCACHE_DIR=/ccache PIP_CACHE_DIR=/pip
  ELSEWHERE="$base" WHEEL="$wheel")
for name in CC CXX http_proxy https_proxy CMAKE_BUILD_PARALLEL_LEVEL SLIPSTREAM_WERROR; do
  [ -z "${!name:-}" ] || settings+=("$name=${!name}")
done
result=0
contained bash tests/platforms/enter.sh "$root" "$place" "${settings[@]}" bash /inside.sh "$@" || result=$?
cat "$root/elsewhere.row" 2>/dev/null || true
exit $result

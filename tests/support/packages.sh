#!/bin/bash
# packages.sh BUILD VERSION LIBDIR : packs BUILD and looks at what came out: the files and the control fields of the Debian
# packages, the files of the tarball, the manual page and the completion. Nothing is installed.
set -euo pipefail
build=$(realpath "$1") version=$2 libdir=$3
for tool in dpkg-deb dpkg-shlibdeps file readelf; do
  command -v "$tool" >/dev/null || { echo "skipped: there is no $tool, packages are made on Debian"; exit 77; }
done

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
fail() { echo "error: $*"; exit 1; }
expect() { grep -q -- "$2" <<<"$1" || fail "no '$2' in: $1"; }

(cd "$build" && cpack -B "$folder/packages") >"$folder/log" 2>&1 || { cat "$folder/log"; fail "cpack failed"; }
cd "$folder/packages"
mapfile -t debs < <(ls ./*.deb)
[ ${#debs[@]} -eq 3 ] || fail "not three packages: ${debs[*]}"

# package NAME: its file; field NAME FIELD; unpacked into $folder/NAME.
package() { ls "./$1_$version"-*.deb; }
field() { dpkg-deb --field "$(package "$1")" "$2"; }
for name in slipstream libslipstream1 libslipstream-dev; do
  dpkg-deb --extract "$(package $name)" "$folder/$name"
  [ "$(field $name Source)" = slipstream ] || fail "$name is of another source"
  for file in copyright changelog.Debian.gz; do
    [ -s "$folder/$name/usr/share/doc/$name/$file" ] || fail "$name lacks its $file"
  done
done

exact="(= $(field slipstream Version))"
expect "$(field slipstream Depends)" "libslipstream1 $exact"
expect "$(field libslipstream-dev Depends)" "libslipstream1 $exact"
expect "$(field libslipstream1 Depends)" libopenblas0-openmp
expect "$(field libslipstream1 Depends)" 'libtorch[0-9]'
expect "$(field libslipstream-dev Depends)" libcaf-dev
! grep -q -- '-dev' <<<"$(field slipstream Depends) $(field libslipstream1 Depends)" || fail "a run depends on headers"
expect "$(dpkg-deb --info "$(package libslipstream1)" shlibs)" "libslipstream 1 libslipstream1"

while read -r name file; do
  [ -e "$folder/$name/usr/$file" ] || fail "$name lacks $file: $(cd "$folder/$name" && find . -type f | head -50)"
done <<FILES
slipstream bin/slipstream
slipstream share/slipstream/configs/quickstart/rlhf.toml
slipstream share/man/man1/slipstream.1.gz
slipstream share/bash-completion/completions/slipstream
slipstream share/zsh/vendor-completions/_slipstream
slipstream share/fish/vendor_completions.d/slipstream.fish
slipstream libexec/slipstream/slipstream-compute
slipstream share/doc/slipstream/docs/install.md
slipstream share/doc/slipstream/changelog.gz
libslipstream1 $libdir/libslipstream.so.1.0
libslipstream1 $libdir/libslipstream_core.so.1.0
libslipstream-dev include/slipstream/actors/interfaces.hpp
libslipstream-dev $libdir/cmake/slipstream/slipstream-config.cmake
libslipstream-dev $libdir/cmake/slipstream/slipstream-targets.cmake
libslipstream-dev $libdir/pkgconfig/slipstream.pc
libslipstream-dev share/doc/libslipstream-dev/examples/embed.cpp
FILES
[ "$(readlink "$folder/libslipstream-dev/usr/$libdir/libslipstream.so")" = libslipstream.so.1 ] || fail "no link to build with"
[ "$(find "$folder/slipstream" "$folder/libslipstream1" -name '*.hpp' -o -name '*.cmake' | wc -l)" -eq 0 ] ||
  fail "a run gets files of the development package"

# No search path is built in, and what is packed is stripped.
for file in "$folder/slipstream/usr/bin/slipstream" "$folder/slipstream/usr/libexec/slipstream/slipstream-compute" \
  "$folder/libslipstream1/usr/$libdir/"libslipstream{,_core}.so.1.0; do
  ! readelf -d "$file" | grep -E 'R(UN)?PATH' || fail "$file has a search path"
  ! readelf -S "$file" | grep -q '\.symtab' || fail "$file is not stripped"
done

# The pkg-config file leads to what lies beside it.
if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH="$folder/libslipstream-dev/usr/$libdir/pkgconfig"
  [ "$(pkg-config --modversion slipstream)" = "$version" ] || fail "another version in slipstream.pc"
  headers=$(pkg-config --cflags-only-I slipstream | grep -o -- "-I[^ ]*/include/slipstream" | cut -c3-)
  [ -e "$headers/models/types.hpp" ] || fail "no headers in $headers"
  expect "$(pkg-config --libs slipstream)" "-lslipstream"
else
  echo "not looked at: slipstream.pc, there is no pkg-config"
fi

# The manual page names every command with its options, the completion offers them.
page=$(zcat "$folder/slipstream/usr/share/man/man1/slipstream.1.gz")
expect "$page" '^\.SS "slipstream run"'
expect "$page" '^\\fB\\-\\-resume\\fR'
completed() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _slipstream
  echo "${COMPREPLY[*]}"
}
(
  # shellcheck disable=SC1091
  . "$folder/slipstream/usr/share/bash-completion/completions/slipstream"
  [ "$(completed slipstream rep)" = replay ] || fail "rep is not completed: $(completed slipstream rep)"
  [ "$(completed slipstream run a.toml --res)" = --resume ] || fail "--res is not completed"
  [ "$(completed slipstream tokenizer t)" = train ] || fail "tokenizer t is not completed"
  [ "$(completed slipstream tokenizer train --vo)" = --vocab-size ] || fail "--vo is not completed"
  [ -z "$(completed slipstream run '')" ] || fail "files are not left to the shell"
)

# The tarball holds one folder with the same, for any prefix.
tarball=$(ls ./slipstream-"$version"-*.tar.gz)
listed=$(tar -tzf "$tarball")
top=$(basename "$tarball" .tar.gz)
! grep -v "^$top/" <<<"$listed" || fail "files outside of $top/"
for file in bin/slipstream libexec/slipstream/slipstream-compute "$libdir/libslipstream.so.1" include/slipstream/models/types.hpp share/doc/slipstream/LICENSE; do
  expect "$listed" "^$top/$file\$"
done
ls -s --block-size=kB ./*.deb ./*.tar.gz
echo "The packages are as they should be."

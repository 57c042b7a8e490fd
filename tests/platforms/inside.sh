#!/bin/bash
# What ./dev elsewhere runs inside the fresh system: each command of ./dev, then a line for the table of docs/platforms.md.
set -uo pipefail
cd /slipstream || exit 1
rm -f /elsewhere.row
options=()
[ -z "$WHEEL" ] || options=(--torch "wheel=$WHEEL")
if [ -n "${CXX:-}" ]; then
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${CC:?}" >/dev/null || exit 1
  [[ $CXX != clang* ]] || apt-get -qq install -y --no-install-recommends "libomp${CC#clang}-dev" >/dev/null || exit 1
fi

# seconds NAME COMMAND...: runs it with its output in /NAME.log, too; sets result and took.
timed() {
  local started=$SECONDS name=$1
  shift
  "$@" 2>&1 | tee "/$name.log"
  result=${PIPESTATUS[0]}
  took=$((SECONDS - started))
}
failures=0 built=- tests=- quickstart=-
for command; do
  case $command in
    shell) bash -i </dev/tty; continue ;;
    quickstart)
      timed build ./dev build release slipstream_program "${options[@]}"  # apart from the run, to time each
      built="$took s"
      [ "$result" -eq 0 ] || { built=failed; failures=$((failures + 1)); continue; }
      rm -rf runs
      timed quickstart ./dev quickstart "${options[@]}"
      row=$(grep '^quickstart-rlhf ' /quickstart.log | tail -n 1)
      read -r _ _ greedy sampled _ <<<"$row"
      quickstart="$took s, ${greedy:-?}, ${sampled:-?}"
      ;;
    test)
      timed test ./dev test "${options[@]}"
      tests=$(sed -n 's/^\([0-9]*% tests passed, .*\)$/\1/p' /test.log | tail -n 1)
      tests=${tests:-failed}
      skipped=$(grep -c '\*\*\*Skipped' /test.log)
      [ "$skipped" = 0 ] || tests+=" ($skipped skipped)"
      ;;
    build | check) timed "$command" ./dev "$command" "${options[@]}" ;;
    *) timed command bash -c "$command" ;;
  esac
  [ "$result" -eq 0 ] || failures=$((failures + 1))
done

version=$(find build/torch /usr/include/torch -name version.h -path '*torch/*' -exec \
  awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) /{all = all dot $3; dot = "."} END {if (all) print all}' {} \; 2>/dev/null |
  head -n 1)
compiler=$("${CXX:-g++}" --version | sed -n '1s/(.*) //p')
warnings=$(cat /build.log /test.log 2>/dev/null | grep -cE '^/slipstream/.* warning: ')
printf '| %s | %s%s | %s | %s (%s warnings) | %s | %s | %s |\n' "$ELSEWHERE" "${version:-?}" "${WHEEL:+ (wheel)}" \
  "$compiler" "$built" "$warnings" "$tests" "$quickstart" "$(date +%F)" >/elsewhere.row
exit $((failures > 0))

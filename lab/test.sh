#!/usr/bin/env bash
# Runs the tests in tiers and says at the end where the time went.
#   lab/test.sh lint|check|fuzz|test|soak
set -euo pipefail
cd "$(dirname "$0")/.."
tier=${1:?lint, check, fuzz, test or soak}
scratch=$(mktemp -d)
background=
finish() {
  code=$?
  [ -z "$background" ] || { kill -INT -- "-$background" && wait "$background" || true; }
  report
  rm -rf "$scratch"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# phase NAME COMMAND...: runs the command, notes its time, stops at the first failure.
phase() {
  local name=$1 start=$SECONDS code=0
  shift
  printf '\n=== %s\n' "$name"
  "$@" || code=$?
  printf '%6d s  %s%s\n' $((SECONDS - start)) "$name" "$([ $code = 0 ] || echo '   FAILED')" >>"$scratch/phases"
  return $code
}

report() {
  [ -s "$scratch/phases" ] || return 0
  printf '\nWhere the time went (%d s in all):\n' "$SECONDS"
  cat "$scratch/phases"
  if [ -s "$scratch/packages" ]; then
    echo 'Slowest packages:'
    awk '$1=="ok" || $1=="FAIL" {t=$3; sub(/s$/,"",t); if (t+0>=1) printf "%8.1f s  %s\n", t, $2}' "$scratch/packages" | sort -rn | head -n 15
  fi
  if [ -s "$scratch/times" ]; then
    echo 'Network boots (seconds from power-on):'
    cat "$scratch/times"
  fi
}

gotest() { # go test, with the packages' times noted
  # Ctrl-C reaches the tests, which clean up and say so; those who listen go on until then.
  go test "$@" 2>&1 </dev/null | (trap '' INT; exec tee >(grep -E '^(ok|FAIL)\s' >>"$scratch/packages") \
    >(grep -oE 'BOOT [^:]+: .*' >>"$scratch/times"))
}

formatted() {
  local files
  files=$(git ls-files -z '*.go' | xargs -0 -r gofmt -l)
  [ -z "$files" ] || { printf 'not formatted (gofmt -w):\n%s\n' "$files" >&2; return 1; }
}

generated() { # the committed *_templ.go are what templ makes of the *.templ
  local before after
  [ -n "$(git ls-files '*.templ')" ] || return 0
  before=$(git ls-files -z '*_templ.go' | xargs -0 -r sha256sum)
  go tool templ generate -path ui/internal/view >/dev/null 2>&1 || { go tool templ generate -path ui/internal/view; return 1; }
  after=$(git ls-files -z '*_templ.go' | xargs -0 -r sha256sum)
  [ "$before" = "$after" ] || { echo 'generated files were not current; they are now: commit them' >&2; return 1; }
}

scripts() { git ls-files -z '*.sh' .ci/run | xargs -0 -r -n1 bash -n; }

vagrantfile() { # needs no provider, no box and no network
  VAGRANT_HOME=$scratch/vagrant VAGRANT_DOTFILE_PATH=$scratch/dot VAGRANT_CHECKPOINT_DISABLE=1 vagrant validate --ignore-provider
}

lint() {
  phase 'install missing packages' lab/deps.sh build check ui
  phase gofmt formatted
  phase 'go vet' go vet -tags lab ./... # no file is left out because of the tag
  phase staticcheck go tool staticcheck -tags lab ./...
  phase 'generated files' generated
  phase 'shell scripts' scripts
  phase 'vagrant validate' vagrantfile
}

unit() { phase 'unit tests' gotest -timeout 30m ./...; }

# fuzzone PKG NAME: a target that was still working at the end of its time is no
# finding, though go test calls it a failure ("context deadline exceeded"): once more.
fuzzone() {
  local try
  for try in 1 2 3; do
    # Little time for making inputs shorter: it would take that of looking for new ones.
    (cd "$1" && "$scratch/fuzzer" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "${FUZZTIME:-3s}" -test.fuzzminimizetime 10x \
      -test.fuzzcachedir "$(go env GOCACHE)/fuzz/slipway/$1" 2>&1 </dev/null) | tee "$scratch/fuzz" && return 0
    grep -q 'context deadline exceeded' "$scratch/fuzz" && ! grep -q 'Failing input' "$scratch/fuzz" || return 1
  done
  return 1
}

# fuzz runs the fuzz targets; with FUZZSHARE those of what comes from the network before
# anybody has signed in, and of sequences, and one of so many others, chosen by FUZZSEED.
fuzz() {
  local pkg name built= share=${FUZZSHARE:-1} seed=${FUZZSEED:-$(date +%s)}
  [ "$share" = 1 ] || echo "fuzzing netboot, tasksequence, api and sequences in YAML, and one other target of $share, as FUZZSEED=$seed chooses"
  while read -r pkg name; do
    # Built once for all targets of the package.
    [ "$built" = "$pkg" ] || phase "build the fuzz targets of $pkg" go test -c -fuzz=. -o "$scratch/fuzzer" "./$pkg" || return
    built=$pkg
    phase "fuzz $name in $pkg" fuzzone "$pkg" "$name" || return
  done < <(git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' |
    sed -E 's#^(.*)/[^/]+:func (.*)#\1 \2#' | sort -u | awk -v n="$share" -v s="$seed" 'BEGIN {srand(s)}
      $1 ~ /^(netboot|tasksequence|appliance\/internal\/api)$/ || $0 == "appliance/internal/engine FuzzYAML" || rand() * n < 1')
}

# beside COMMAND...: runs the command in the background, its output kept together and
# shown at its end. beside_done waits for it. It has a process group of its own, so that
# the end of this script can interrupt all of it.
beside() {
  set -m
  (
    set +m
    code=0
    "$@" >"$scratch/beside" 2>&1 || code=$?
    cat "$scratch/beside"
    exit $code
  ) &
  background=$!
  set +m
}

beside_done() {
  local code=0
  wait "$background" || code=$?
  background=
  return $code
}

prepare() {
  phase 'build' make --no-print-directory build
  phase 'boot image' make --no-print-directory image
  phase 'DHCP servers of others' lab/dhcp-peers.sh .cache/dhcp
}

unit_and_fuzz() {
  renice -n 5 -p $BASHPID >/dev/null
  unit && FUZZSHARE=${FUZZSHARE:-10} FUZZTIME=${FUZZTIME:-2s} fuzz
}

guests() {
  # One package at a time and three guests at most: firmware waits much of its time.
  local root=()
  [ "$(id -u)" = 0 ] || root=(-exec 'sudo -E') # namespaces and taps
  phase 'virtual machines' gotest "${root[@]}" -tags lab -count=1 -p 1 -parallel 3 -timeout "${1:-70m}" -v ./lab/boottest
}

case $tier in
  lint) lint ;;
  check) lint; unit ;;
  fuzz) phase 'install missing packages' lab/deps.sh build check; fuzz ;;
  test)
    lint
    prepare
    # Guests wait for firmware's time limits half of the time. They take longest, so they
    # come first when both want the processor, and their own limits are twice as long as
    # on a machine that does nothing else.
    beside unit_and_fuzz
    code=0
    SLIPWAY_LAB_TIME_FACTOR=${SLIPWAY_LAB_TIME_FACTOR:-2} guests || code=$?
    beside_done || code=$?
    exit $code
    ;;
  soak)
    export SLIPWAY_SOAK=1
    phase 'unit tests, long form' gotest -timeout 3h ./...
    phase 'race detector' env CGO_ENABLED=1 go test -race -timeout 3h ./...
    FUZZTIME=${FUZZTIME:-5m} fuzz
    prepare
    guests 8h
    ;;
  *) echo "lab/test.sh: no tier $tier" >&2; exit 2 ;;
esac

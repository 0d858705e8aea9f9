#!/usr/bin/env bash
# `npm run test:kernel`: builds, then runs the end-to-end tests on the kernel's datapath. Where this kernel lacks the
# openvswitch module, they run in a virtual machine that has it. Arguments go to vitest (a file name, -t PATTERN).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

require_node
is_root || die 'the kernel datapath needs root'
need_test_packages && need_modules && need_build || exit 1

# A short spoof matrix runs too, and a test checks the datapath's megaflows after it.
[ $# -gt 0 ] || set -- test/e2e test/proofs/cached-decisions.test.ts
tests=(node node_modules/vitest/vitest.mjs run --project system "$@")
export PORTCULLIS_TEST_DATAPATH=system

if kernel_datapath; then
  isolated "${tests[@]}"
  exit
fi
say 'this kernel has no openvswitch module: the tests run in a virtual machine'
scripts/kernel/machine.sh build || exit 1
# An emulated processor starts a process about ten times as slowly.
slow=${PORTCULLIS_TEST_SLOW:-$([ "$(scripts/kernel/machine.sh accelerator)" = kvm ] && echo 2 || echo 8)}
exec scripts/kernel/machine.sh run -t "${PORTCULLIS_TEST_KERNEL_TIMEOUT:-14400}" \
  -e PORTCULLIS_TEST_DATAPATH=system -e "PORTCULLIS_TEST_SLOW=$slow" -- "${tests[@]}"

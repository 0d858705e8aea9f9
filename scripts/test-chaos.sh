#!/usr/bin/env bash
# `npm run test:chaos [-- SECONDS]`: many writers in a cloud whose processes and lines fail (test/chaos/history.test.ts), for ten
# minutes or the given time. CHAOS_SEED changes the choices. Needs root and etcd-server.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

require_node
is_root || die 'the chaos test needs root'
need_test_packages && need_modules && need_build || exit 1

CHAOS_SECONDS=${1:-${CHAOS_SECONDS:-600}} isolated node node_modules/vitest/vitest.mjs run --project system test/chaos

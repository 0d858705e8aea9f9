#!/usr/bin/env bash
# `npm run test:upgrade [-- COMMIT]`: builds another release beside this one and replaces it by this one on a running
# switch (test/e2e/upgrade.test.ts). Needs root and a git clone that has the commit.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

# Release 0.1: the last without network and port keys in the store.
commit=${1:-9213907}
require_node
is_root || die 'the upgrade test needs root'
need_test_packages && need_modules && need_build || exit 1

former=$(mktemp -d) || exit 1
trap 'git worktree remove --force "$former" 2>/dev/null; rm -rf "$former"' EXIT
git worktree add --detach "$former" "$commit" >&2 || die "there is no commit $commit here"
(cd "$former" && npm ci --include=dev --no-audit --no-fund && npm run --silent build) >&2 || die "commit $commit does not build"

PORTCULLIS_FORMER_RELEASE=$former isolated node node_modules/vitest/vitest.mjs run --project system test/e2e/upgrade.test.ts

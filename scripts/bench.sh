#!/usr/bin/env bash
# `npm run bench [-- api|scale|groups|datapath|masks|qos|start|idle|interest… --quick]`: installs what a fresh machine lacks, runs bench/main.ts.
# Standard output carries JSON lines only (run with `npm run --silent bench`); progress goes to standard error.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

require_node
need_packages openvswitch-switch iproute2 ethtool iperf3 procps || exit 1
need_modules
need_build || exit 1

# The userspace datapath has one network device of a fixed name (ovs-netdev): a second switch on this machine needs a
# network namespace of its own. Everything in it is removed when the bench ends.
if is_root && unshare --net --mount true 2>/dev/null; then
  # shellcheck disable=SC2016 # the inner shell expands
  exec unshare --net --mount sh -c 'ip link set lo up && exec node --import tsx bench/main.ts "$@"' bench "$@"
fi
exec node --import tsx bench/main.ts "$@"

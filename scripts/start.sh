#!/usr/bin/env bash
# `npm start -- FLAGS`: installs what a fresh machine lacks, then runs `portcullis up FLAGS`.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

require_node
need_packages openvswitch-switch iproute2 ethtool || exit 1
need_modules
need_build || exit 1

# Only the local switch is started here. Wrong flags end here, with their own message.
ovsdb=$(node dist/bin/portcullis.js config --get ovsdb "$@") || exit $?
if [ "$ovsdb" = unix:/var/run/openvswitch/db.sock ] || [ "$ovsdb" = unix:/run/openvswitch/db.sock ]; then
  need_ovs || exit 1
fi

exec node dist/bin/portcullis.js up "$@"

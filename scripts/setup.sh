# Set-up that `npm start` and `npm test` share, sourced by both: Debian packages, node modules, build, Open vSwitch.
# All output goes to standard error. A function does nothing when nothing is missing.
# shellcheck shell=bash

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf 'portcullis: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

require_node() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Node 20.19 or newer is needed, this is $(node --version)"
}

package_installed() {
  [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

# missing_packages PACKAGE[|OTHER]...: for each item without an installed name, prints its first name.
missing_packages() {
  local item name
  for item in "$@"; do
    for name in ${item//|/ }; do
      package_installed "$name" && continue 2
    done
    printf '%s\n' "${item%%|*}"
  done
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >&2
}

# Without systemd, a package's attempt to start its service can fail, and apt with it.
apt_install() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -d /run/systemd/system ] && [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt_get install --no-install-recommends "$@"
)

# need_packages PACKAGE...: installs what is missing; fails when something is missing afterwards.
need_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} = 0 ] && return 0
  if ! is_root || ! command -v apt-get >/dev/null; then
    say "missing; install with: sudo apt-get install --no-install-recommends ${missing[*]}"
    return 1
  fi
  say "installing ${missing[*]}"
  apt_install "${missing[@]}" && return 0
  # The common cause is absent or stale package lists. Fetching them each time would be too slow.
  apt_get update && apt_install "${missing[@]}" && return 0
  say "apt could not install: ${missing[*]}"
  return 1
}

# Open vSwitch and the other programs of the tests.
need_test_packages() {
  need_packages openvswitch-switch iproute2 ethtool python3-openstackclient keepalived haproxy tcpdump iputils-ping iputils-tracepath traceroute \
    'arping|iputils-arping' ndisc6 curl socat netcat-openbsd iperf3 procps dnsmasq-base udhcpc isc-dhcp-client python3 python3-keystone etcd-server
}

# isolated COMMAND...: runs COMMAND in its own network namespace. Every datapath owns a device or a name of its
# namespace, so COMMAND cannot collide with this machine's switch, and leaves no device behind.
isolated() {
  if is_root && unshare --net --mount mount -t sysfs sysfs /sys 2>/dev/null; then
    # /sys shows the devices of the namespace that mounted it.
    unshare --net --mount sh -c 'mount -t sysfs sysfs /sys && ip link set lo up && exec "$@"' isolated "$@"
  else
    "$@"
  fi
}

need_modules() {
  [ node_modules/.package-lock.json -nt package-lock.json ] && return 0
  say 'installing node modules'
  npm ci --include=dev --no-audit --no-fund >&2 || die 'npm ci failed'
}

# The stamp has the time before the build: a file saved during the build counts as newer.
need_build() {
  local stamp=dist/.built
  if [ -e "$stamp" ] && [ -z "$(find src package.json package-lock.json scripts/build.mjs scripts/code-cache.mjs -newer "$stamp" -print -quit)" ]; then
    return 0
  fi
  mkdir -p dist
  touch "$stamp.new"
  npm run --silent build >&2 || { say 'build failed'; return 1; }
  mv "$stamp.new" "$stamp"
}

ovs_database_answers() {
  [ -S "$1" ] && timeout 5 ovsdb-client list-dbs "unix:$1" >/dev/null 2>&1
}

# A pid file counts only if its process is the named daemon: process ids are reused.
ovs_daemon_runs() {
  local pid
  pid=$(cat "/var/run/openvswitch/$1.pid" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

kernel_datapath() {
  [ -e /sys/module/openvswitch ] || modprobe -q openvswitch 2>/dev/null
}

# Starts Open vSwitch in Debian's standard places. A database that already answers is used as it is.
need_ovs() {
  local socket=/var/run/openvswitch/db.sock ctl=/usr/share/openvswitch/scripts/ovs-ctl
  if ovs_database_answers "$socket"; then
    # Start the switch only when the database is this machine's own and its switch has died.
    ovs_daemon_runs ovsdb-server || return 0
    ovs_daemon_runs ovs-vswitchd && return 0
  fi
  is_root || { say 'no Open vSwitch runs here; start it as root: systemctl start openvswitch-switch'; return 1; }
  say 'starting Open vSwitch'
  if [ -d /run/systemd/system ] && systemctl start openvswitch-switch >&2 && ovs_daemon_runs ovs-vswitchd; then
    return 0
  fi
  "$ctl" --system-id=random --no-ovs-vswitchd --no-record-hostname start >&2 || return 1
  ovs_daemon_runs ovs-vswitchd && return 0
  if kernel_datapath; then
    "$ctl" --system-id=random --no-ovsdb-server --no-record-hostname start >&2 || return 1
  else
    # ovs-ctl refuses to run without the module; the userspace datapath does not need it.
    (ulimit -n 65535 2>/dev/null
      exec ovs-vswitchd "unix:$socket" -vconsole:emer -vsyslog:err -vfile:info --mlockall --no-chdir \
        --log-file=/var/log/openvswitch/ovs-vswitchd.log --pidfile=/var/run/openvswitch/ovs-vswitchd.pid \
        --detach --monitor) >&2 || return 1
  fi
  ovs_daemon_runs ovs-vswitchd
}

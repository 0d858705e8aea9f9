#!/usr/bin/env bash
# `npm run lab -- COMMAND`: a cloud of several hypervisors on this machine, for a person or a test. Each hypervisor is a
# network namespace with its own Open vSwitch (userspace datapath) and agent. The namespace `pclab-net` routes between
# their tunnel endpoints and to the three members of etcd and two API servers, which run beside this shell.
#   up N            starts N hypervisors h1 … hN (1 to 9)
#   guest HOST PORT makes a guest for a port (name or id) on a host, as `portcullis guest add` does
#   on HOST CMD…    runs CMD on a host; `ovs-vsctl`, `ovs-ofctl` and `ovs-appctl` then speak to its switch
#   cut HOST        cuts the host's link to the other hosts; `mend HOST` joins it again
#   down            ends all of it
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/setup.sh

dir=/run/portcullis-lab
portcullis=(node "$PWD/dist/bin/portcullis.js")
etcd_address=10.200.0.1
stores=etcd://$etcd_address:2379,$etcd_address:2381,$etcd_address:2383

# `ip netns exec` would hide from others the namespaces that are made inside.
inside() { nsenter --net="/run/netns/$1" "${@:2}"; }

# background NAME COMMAND…: its log and pid lie in $dir.
background() {
  local name=$1
  shift
  setsid "$@" >"$dir/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

# wait_for WHAT COMMAND…: within half a minute.
wait_for() {
  local what=$1 end=$((SECONDS + 30))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "$what did not come; see $dir"
    sleep 0.2
  done
}

# link NAMESPACE DEVICE ADDRESS PEER-DEVICE PEER-ADDRESS: a veth pair to `pclab-net`. An empty namespace is this one's.
link() {
  local in=() at=1
  [ -n "$1" ] && in=(-n "$1") at=$1
  ip "${in[@]}" link add "$2" mtu 9000 type veth peer name "$4" mtu 9000 netns pclab-net || exit 1
  [ -n "$3" ] && ip "${in[@]}" addr add "$3/24" dev "$2"
  ip -n pclab-net addr add "$5/24" dev "$4"
  ip "${in[@]}" link set "$2" up
  ip -n pclab-net link set "$4" up
  # A checksum left to hardware that does not exist would reach the other host unfilled.
  if [ "$at" = 1 ]; then ethtool -K "$2" tx off; else inside "$1" ethtool -K "$2" tx off; fi >/dev/null 2>&1
  inside pclab-net ethtool -K "$4" tx off >/dev/null 2>&1
}

start_network() {
  ip netns add pclab-net || die 'the lab is up already; `npm run lab -- down` ends it'
  ip -n pclab-net link set lo up
  inside pclab-net sysctl -qw net.ipv4.ip_forward=1
  link '' pclab0 $etcd_address root 10.200.0.254
  ip route add 10.200.0.0/16 via 10.200.0.254
}

start_control() {
  local at cluster=''
  for at in 1 2 3; do cluster+=${cluster:+,}m$at=http://127.0.0.1:$((2378 + at * 2)); done
  for at in 1 2 3; do
    local client=$((2377 + at * 2)) peer=$((2378 + at * 2))
    background "etcd$at" etcd --name "m$at" --data-dir "$dir/etcd$at" --initial-cluster "$cluster" \
      --listen-client-urls "http://$etcd_address:$client" --advertise-client-urls "http://$etcd_address:$client" \
      --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
      --max-txn-ops=16384 --max-request-bytes=4194304 --auto-compaction-mode=revision --auto-compaction-retention=20000
  done
  for at in 1 2; do
    background "server$at" "${portcullis[@]}" server --store "$stores" --listen "127.0.0.1:$((9695 + at))"
  done
  for at in 1 2; do wait_for "server $at" grep -q '^portcullis ready' "$dir/server$at.log"; done
  # Guests are made on hosts, and the API has no address there.
  background api socat "UNIX-LISTEN:$dir/api.sock,fork" TCP:127.0.0.1:9696
}

start_host() {
  local at=$1 host=h$1 ns=pclab-h$1 run=$dir/h$1
  mkdir -p "$run"
  ip netns add "$ns" && ip -n "$ns" link set lo up
  link "$ns" mgmt "10.200.$at.1" "$host" "10.200.$at.254"
  link "$ns" wire '' "$host-wire" "10.201.$at.254"
  # The switch takes what comes by the wire; this namespace's own stack must not answer for it.
  ip -n "$ns" link set wire arp off multicast off
  ip -n "$ns" route add 10.200.0.0/16 via "10.200.$at.254"
  ovsdb-tool create "$run/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  background "$host-ovsdb" nsenter --net="/run/netns/$ns" env OVS_RUNDIR="$run" ovsdb-server "$run/conf.db" \
    "--remote=punix:$run/db.sock" --pidfile="$run/ovsdb-server.pid" "--unixctl=$run/ovsdb-server.ctl"
  wait_for "the database of $host" ovs_database_answers "$run/db.sock"
  on "$host" ovs-vsctl --no-wait init
  background "$host-ovs" nsenter --net="/run/netns/$ns" env OVS_RUNDIR="$run" ovs-vswitchd "unix:$run/db.sock" \
    --pidfile="$run/ovs-vswitchd.pid"
  on "$host" ovs-vsctl --timeout=30 add-br br-phy -- set bridge br-phy datapath_type=netdev fail_mode=standalone \
    -- add-port br-phy wire -- set interface br-phy mtu_request=9000
  ip -n "$ns" addr add "10.201.$at.1/24" dev br-phy
  ip -n "$ns" link set br-phy up
  ip -n "$ns" route add 10.201.0.0/16 via "10.201.$at.254"
  # The first packet of a tunnel would wait for the answer to ARP.
  inside "$ns" ping -c 1 -W 5 "10.201.$at.254" >/dev/null || die "$host has no way to the others; see $dir"
  background "$host-api" nsenter --net="/run/netns/$ns" socat TCP-LISTEN:9696,bind=127.0.0.1,fork,reuseaddr "UNIX-CONNECT:$dir/api.sock"
  background "$host-agent" nsenter --net="/run/netns/$ns" "${portcullis[@]}" agent --store "$stores" --host "$host" \
    --ovsdb "unix:$run/db.sock" --tunnel-ip "10.201.$at.1"
  wait_for "the agent of $host" grep -q '^portcullis ready' "$dir/$host-agent.log"
}

on() {
  local host=$1
  shift
  [ -d "$dir/$host" ] || die "there is no host $host"
  inside "pclab-$host" env OVS_RUNDIR="$dir/$host" "$@"
}

up() {
  local count=${1:-3} at
  [[ $count =~ ^[1-9]$ ]] || die 'how many hypervisors: 1 to 9'
  is_root || die 'the lab needs root'
  require_node
  need_packages openvswitch-switch iproute2 ethtool etcd-server socat iputils-ping procps && need_modules && need_build || exit 1
  mkdir -p "$dir"
  start_network
  start_control
  for ((at = 1; at <= count; at++)); do start_host "$at"; done
  "${portcullis[@]}" hosts
  say 'the lab is up: the API is at http://127.0.0.1:9696 and http://127.0.0.1:9697'
}

# Only processes that `up` and `guest` have started are ended.
down() {
  local file name
  for file in "$dir"/*.pid; do [ -e "$file" ] && kill -- "-$(cat "$file")" 2>/dev/null; done
  for name in $(cat "$dir/guests" 2>/dev/null) $(ip netns list | awk '/^pclab-/ {print $1}'); do ip netns del "$name"; done
  ip link del pclab0 2>/dev/null
  rm -rf "$dir"
}

guest() {
  on "$1" "${portcullis[@]}" guest add "$2" --ovsdb "unix:$dir/$1/db.sock" --endpoint http://127.0.0.1:9696 --name "$2" "${@:3}" &&
    echo "$2" >>"$dir/guests"
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
  up | down) "$command" "$@" ;;
  guest | on) [ $# -ge 2 ] || die "$command HOST …"; "$command" "$@" ;;
  cut) ip -n pclab-net link set "$1-wire" down ;;
  mend) ip -n pclab-net link set "$1-wire" up ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "scripts/lab.sh"; [ -z "$command" ] ;;
esac

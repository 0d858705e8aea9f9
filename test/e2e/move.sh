#!/usr/bin/env bash
# A guest moves from h1 to h2 of a lab of three hypervisors, under traffic with a peer on h3. Prints what both say at the end.
# Runs in a network namespace of its own. Arguments: a directory, and the number of TCP connections of each kind.
set -u
dir=$1
count=$2
lib=$PWD/test/lib
lab() { npm run --silent lab -- "$@"; }
portcullis() { node dist/bin/portcullis.js "$@"; }
fail() { echo "failed: $*" >&2; exit 1; }
trap 'kill $(jobs -p) 2>/dev/null; for name in vm vmbridge; do ip netns del pcmove-$name; done 2>/dev/null; lab down' EXIT

ip link set lo up
lab up 3 || fail 'no lab'
api() { # api METHOD PATH BODY: prints the first id of the answer
  curl -sf -X "$1" "http://127.0.0.1:9696/v2.0/$2" -H 'content-type: application/json' -d "$3" | grep -o '"id":"[^"]*"' | head -1 | cut -d'"' -f4
}
network=$(api POST networks '{"network":{"name":"net"}}')
api POST subnets "{\"subnet\":{\"network_id\":\"$network\",\"ip_version\":4,\"cidr\":\"10.8.0.0/24\"}}" >/dev/null
# Nothing but what the two need: no rule of a port admits an answer by itself.
group() { # group NAME RULE…, a rule is DIRECTION/PROTOCOL/PORT
  local id rule parts
  id=$(api POST security-groups "{\"security_group\":{\"name\":\"$1\"}}")
  for rule in $(curl -sf "http://127.0.0.1:9696/v2.0/security-group-rules?fields=id&security_group_id=$id" | grep -o '"id":"[^"]*"' | cut -d'"' -f4); do
    curl -sf -X DELETE "http://127.0.0.1:9696/v2.0/security-group-rules/$rule"
  done
  for rule in "${@:2}"; do
    IFS=/ read -ra parts <<<"$rule"
    api POST security-group-rules "{\"security_group_rule\":{\"security_group_id\":\"$id\",\"direction\":\"${parts[0]}\",\"protocol\":\"${parts[1]}\",\"port_range_min\":${parts[2]},\"port_range_max\":${parts[2]},\"remote_ip_prefix\":\"10.8.0.0/24\"}}" >/dev/null
  done
  echo "$id"
}
mac=02:00:00:00:08:11
port_body() { # port_body NAME ADDRESS GROUP MORE
  echo "{\"port\":{\"name\":\"$1\",\"network_id\":\"$network\",\"fixed_ips\":[{\"ip_address\":\"$2\"}],\"security_groups\":[\"$3\"]$4}}"
}
port=$(api POST ports "$(port_body mover 10.8.0.11 "$(group mover ingress/udp/9000 ingress/tcp/7000 egress/tcp/7001)" \
  ",\"mac_address\":\"$mac\",\"device_owner\":\"compute:nova\",\"binding:host_id\":\"h1\"")")
api POST ports "$(port_body move-peer 10.8.0.12 "$(group peer egress/udp/9000 egress/tcp/7000 ingress/tcp/7001)" '')" >/dev/null
[ -n "$port" ] || fail 'no port'
lab guest h3 move-peer >/dev/null || fail 'no peer'
# A hypervisor has other guests: its switch has resolved the neighbour that tunnels lead to. The first packet would be lost.
api POST ports "$(port_body move-other 10.8.0.13 "$(group other egress/udp/9000)" '')" >/dev/null
lab guest h2 move-other >/dev/null || fail 'no other guest'

# The guest's namespace is behind a bridge of two taps, one on each host.
ip netns add pcmove-vm; ip netns add pcmove-vmbridge
ip -n pcmove-vm link add eth0 address "$mac" mtu 1442 type veth peer name guest netns pcmove-vmbridge
ip -n pcmove-vmbridge link add br0 type bridge stp_state 0 mcast_snooping 0
ip -n pcmove-vmbridge link set guest master br0
for at in 1 2; do
  ip -n pcmove-vmbridge link add tap$at mtu 1442 type veth peer name mover mtu 1442 netns pclab-h$at
  ip -n pclab-h$at link set mover up
done
ip netns exec pcmove-vmbridge sysctl -qw net.ipv6.conf.all.disable_ipv6=1
ip netns exec pcmove-vm sysctl -qw net.ipv6.conf.all.disable_ipv6=1
for device in guest tap1 tap2 br0; do ip -n pcmove-vmbridge link set $device up; done
ip -n pcmove-vm link set lo up; ip -n pcmove-vm link set eth0 up; ip -n pcmove-vm addr add 10.8.0.11/24 dev eth0
ip netns exec pcmove-vm ethtool -K eth0 tx off >/dev/null
ip -n pcmove-vmbridge link set tap1 master br0
plug() { lab on "$1" ovs-vsctl add-port br-int mover -- set Interface mover "external_ids:iface-id=$port"; }
plug h1
portcullis sync --timeout 30 >/dev/null || fail 'no sync'

ip netns exec move-other bash -c 'for at in 1 2 3; do echo >/dev/udp/10.8.0.12/9000; sleep 0.1; done'
mkfifo "$dir/mover.in" "$dir/peer.in"
ip netns exec pcmove-vm python3 "$lib/move_load.py" mover 10.8.0.11 10.8.0.12 "$count" <"$dir/mover.in" >"$dir/mover" 2>"$dir/mover.err" &
ip netns exec move-peer python3 "$lib/move_load.py" peer 10.8.0.12 10.8.0.11 "$count" <"$dir/peer.in" >"$dir/peer" 2>"$dir/peer.err" &
exec 8>"$dir/mover.in" 9>"$dir/peer.in"
for side in mover peer; do
  for ((at = 0; at < 150; at++)); do grep -q ready "$dir/$side" && break; sleep 0.2; done
  grep -q ready "$dir/$side" || fail "no traffic: $side; $(cat "$dir/$side.err")"
done

api POST "ports/$port/bindings" '{"binding":{"host":"h2"}}' || fail 'no binding'
plug h2
portcullis sync --timeout 30 >/dev/null || fail 'no sync'
sleep 1.5 # h1 reports the connections once a second.
ip netns exec pcmove-vmbridge ip -batch - <<<$'link set tap1 nomaster\nlink set tap2 master br0'
ip netns exec pcmove-vmbridge python3 "$lib/announce.py" tap2 "$mac" >"$dir/announced"
sleep 0.7
curl -sf -X PUT "http://127.0.0.1:9696/v2.0/ports/$port/bindings/h2/activate" >/dev/null || fail 'not activated'
python3 -c 'import time; print(time.monotonic())' >"$dir/activated"
portcullis sync --timeout 30 >/dev/null || fail 'no sync'
lab on h1 ovs-vsctl del-port br-int mover
sleep 2
python3 -c 'import time; print(time.monotonic())' >"$dir/ended"
exec 8>&- 9>&-
wait %1 %2

#!/bin/sh
# Act 1: nodes. A node is a network namespace with one cable (a veth pair) to a switch (a bridge).
. "$(dirname -- "$0")/lib.sh"
enter "$@"

tell 'A switch, called the fabric. It has an address of its own so that we can look at it.'
run ip link set lo up
run ip link add fabric type bridge
run ip addr add "$FABRIC/16" dev fabric
run ip link set fabric up

machine() {
  run ip netns add "$1"
  # One end of the cable becomes eth0 of the machine, the other a port of the switch.
  run ip link add "$1" type veth peer name eth0 netns "$1"
  run ip link set "$1" master fabric up
  run at "$1" ip link set lo up
  run at "$1" ip addr add "$2/16" dev eth0
  run at "$1" ip link set eth0 up
}

tell 'Two nodes, and a client outside the cluster, all on that switch.'
machine node-1 "$NODE1"
machine node-2 "$NODE2"
machine client "$CLIENT"

tell 'A node forwards packets for its pods. A new namespace does not, until it is told.'
for node in node-1 node-2; do
  run at $node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  # Addresses of Services belong to nobody. Without a default route the kernel would refuse them before any rule is asked.
  run at $node ip route add default via "$FABRIC"
done

tell 'The client knows the way to a node: it is on the same switch.'
run at client ip route get "$NODE1" || exit 1
finish 01-nodes

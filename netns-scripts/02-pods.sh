#!/bin/sh
# Act 2: pods. A pod is a namespace too, hanging off its node by a cable of its own, with one address of the node's range.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 01-nodes

pod() { # name node address
  run ip netns add "$1"
  run ip link add "veth-$1" netns "$2" type veth peer name eth0 netns "$1"
  run at "$1" ip link set lo up
  run at "$1" ip link set eth0 up
  run at "$1" ip addr add "$3/32" dev eth0
  # A pod has no neighbours (its address is a /32). All it knows is: everything goes out of eth0 to a made-up gateway.
  run at "$1" ip route add 169.254.1.1 dev eth0
  run at "$1" ip route add default via 169.254.1.1
  run at "$2" ip link set "veth-$1" up
  # The gateway has no address anywhere; the pod is told its MAC instead of asking for it, and the node is told the pod's.
  run at "$1" ip neigh replace 169.254.1.1 lladdr "$(at "$2" cat "/sys/class/net/veth-$1/address" 2>/dev/null || at "$2" ip -o link show "veth-$1" | sed 's/.*ether \([^ ]*\).*/\1/')" dev eth0 nud permanent
  run at "$2" ip neigh replace "$3" lladdr "$(at "$1" ip -o link show eth0 | sed 's/.*ether \([^ ]*\).*/\1/')" dev "veth-$1" nud permanent
  run at "$2" ip route add "$3/32" dev "veth-$1"
}

tell 'Two web servers on different nodes, and a pod that will call them.'
pod web-1 node-1 "$WEB1"
pod web-2 node-2 "$WEB2"
pod caller node-1 "$CALLER"
serve web-1 "$WEB1"
serve web-2 "$WEB2"

tell 'A pod reaches another pod of its own node: the node routes between its cables.'
run fetch caller "http://$WEB1/" || exit 1
finish 02-pods

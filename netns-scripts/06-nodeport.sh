#!/bin/sh
# Act 6: from outside. The client knows no pod and no Service address, but it can reach the nodes. A NodePort opens one port
# on every node; the node forwards to any pod and hides the client behind its own address, so that the answer comes back.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 04-service-random

for node in node-1 node-2; do
  tell "On $node:"
  run at $node iptables -w -t nat -N KUBE-EXT-WEB
  run at $node iptables -w -t nat -A KUBE-SERVICES -p tcp -m addrtype --dst-type LOCAL -m tcp --dport "$NODE_PORT" -j KUBE-EXT-WEB
  # The mark says "masquerade me when I leave": the decision is made here, the rewriting happens in POSTROUTING.
  run at $node iptables -w -t nat -A KUBE-EXT-WEB -j MARK --or-mark 0x4000
  run at $node iptables -w -t nat -A KUBE-EXT-WEB -j KUBE-SVC-WEB
  run at $node iptables -w -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
done

tell 'The client cannot reach the ClusterIP (it is not in the cluster):'
if fetch client "http://$CLUSTER_IP/" 2>/dev/null; then echo 'that should have failed' >&2; exit 1; fi
tell 'but it reaches the Service through each node, and the pods see a node as the caller:'
for address in "$NODE1" "$NODE2" "$NODE1" "$NODE2"; do
  answer=$(fetch client "http://$address:$NODE_PORT/") || exit 1
  tell "$answer"
  case $answer in *" saw $address") ;; *) exit 1 ;; esac
done
finish 06-nodeport

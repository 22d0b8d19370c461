#!/bin/sh
# Act 4: a Service, as kube-proxy makes it. A ClusterIP is an address that nobody has: it exists only in NAT rules on every
# node, which rewrite the destination to one of the pods. Each new connection throws dice: 1/2, then what is left.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 03-routes

for node in node-1 node-2; do
  tell "Rules on $node (the names are those of kube-proxy):"
  run at $node iptables -w -t nat -N KUBE-SERVICES
  run at $node iptables -w -t nat -N KUBE-SVC-WEB
  run at $node iptables -w -t nat -N KUBE-SEP-WEB1
  run at $node iptables -w -t nat -N KUBE-SEP-WEB2
  # Packets of pods pass PREROUTING, packets of the node itself pass OUTPUT.
  run at $node iptables -w -t nat -A PREROUTING -j KUBE-SERVICES
  run at $node iptables -w -t nat -A OUTPUT -j KUBE-SERVICES
  run at $node iptables -w -t nat -A KUBE-SERVICES -d "$CLUSTER_IP/32" -p tcp --dport 80 -j KUBE-SVC-WEB
  # With n endpoints rule i is taken with probability 1/(n-i): every endpoint gets the same share.
  run at $node iptables -w -t nat -A KUBE-SVC-WEB -m statistic --mode random --probability 0.5 -j KUBE-SEP-WEB1
  run at $node iptables -w -t nat -A KUBE-SVC-WEB -j KUBE-SEP-WEB2
  run at $node iptables -w -t nat -A KUBE-SEP-WEB1 -p tcp -j DNAT --to-destination "$WEB1:80"
  run at $node iptables -w -t nat -A KUBE-SEP-WEB2 -p tcp -j DNAT --to-destination "$WEB2:80"
  # A pod that is sent to itself would answer itself directly and be confused; its packets get the node's address instead.
  run at $node iptables -w -t nat -A POSTROUTING -s "$WEB1/32" -d "$WEB1/32" -j MASQUERADE
  run at $node iptables -w -t nat -A POSTROUTING -s "$WEB2/32" -d "$WEB2/32" -j MASQUERADE
done

tell "Twenty calls of http://$CLUSTER_IP from a pod, counted by who answered:"
answers=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do fetch caller "http://$CLUSTER_IP/" || exit 1; done) || exit 1
tell "$(printf '%s\n' "$answers" | sort | uniq -c)"
# Both must have had a share; that twenty throws of a fair coin all fall on one side happens once in half a million.
[ "$(printf '%s\n' "$answers" | sort -u | wc -l)" -eq 2 ] || exit 1
finish 04-service-random

#!/bin/sh
# Act 5: the same Service, but in turn instead of by dice. Only one rule differs: `--mode nth` counts packets.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 04-service-random

for node in node-1 node-2; do
  tell "On $node every second new connection goes to the first pod, the rest to the second:"
  run at $node iptables -w -t nat -R KUBE-SVC-WEB 1 -m statistic --mode nth --every 2 --packet 0 -j KUBE-SEP-WEB1
done

tell 'Six calls, one after another:'
answers=$(for i in 1 2 3 4 5 6; do fetch caller "http://$CLUSTER_IP/" || exit 1; done) || exit 1
tell "$answers"
[ "$(printf '%s\n' "$answers" | uniq | wc -l)" -eq 6 ] || { echo 'they did not take turns' >&2; exit 1; }
finish 05-service-round-robin

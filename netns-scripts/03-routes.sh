#!/bin/sh
# Act 3: routes. Pods of different nodes reach each other when each node knows which node has which range of pod addresses.
# No tunnel and no address translation: this is all that a "CNI" has to achieve.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 02-pods

tell 'Each node learns the way to the pods of the other one.'
run at node-1 ip route add "$PODS2" via "$NODE2"
run at node-2 ip route add "$PODS1" via "$NODE1"

tell 'Now the caller on node-1 reaches the web server on node-2, and is seen with its own address.'
answer=$(fetch caller "http://$WEB2/") || exit 1
tell "$answer"
[ "$answer" = "web-2 saw $CALLER" ] || exit 1
finish 03-routes

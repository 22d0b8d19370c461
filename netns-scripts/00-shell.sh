#!/bin/sh
# Act 0: a private room to play in. Opens a shell in which all other acts can be run one after another:
#   sh 01-nodes.sh; sh 02-pods.sh; ip netns list; nsenter --net=/run/netns/node-1 ip route
# Leaving the shell removes everything. With arguments it runs that command instead of a shell.
. "$(dirname -- "$0")/lib.sh"
enter "$@"
cd "$here" || exit 1
if [ $# -gt 0 ]; then exec "$@"; fi
tell 'You are root of a private network. Run the acts (sh 01-nodes.sh ...), look around with ip, nft, iptables; exit ends it.'
exec "${SHELL:-sh}"

#!/bin/sh
# Act 7: the end. Deleting a namespace deletes its cables, addresses, routes and rules; processes in it are told first.
# (Leaving the private room of lib.sh does all of this by itself; here it is done by hand.)
. "$(dirname -- "$0")/lib.sh"
enter "$@"
need 01-nodes

for machine in $(ip netns list | cut -d' ' -f1); do
  pids=$(ip netns pids "$machine")
  # shellcheck disable=SC2086
  [ -z "$pids" ] || run kill $pids
  run ip netns delete "$machine"
done
run ip link delete fabric
rm -f /run/done-*
[ -z "$(ip netns list)" ] || exit 1
tell 'Nothing is left.'

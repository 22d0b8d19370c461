#!/bin/sh
# npm test: sets up what is missing, then runs every suite. See scripts/test.ts for what they are.
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$root/scripts/setup.sh"
npm_packages_present || install_npm_packages
find_node || exit 2
ensure_programs

PATH="$(dirname -- "$node"):$PATH:$root/node_modules/.cache/towtank-peers/usr/bin"
export PATH
exec "$node" --disable-warning=ExperimentalWarning "$root/scripts/test.ts" "$@"

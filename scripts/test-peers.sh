#!/bin/sh
# Fetches what only tests use, for the suites that are its arguments; scripts/test.ts runs it beside the suites that need none of it.
# Nothing here is a reason to stop: tests without their peer are skipped, and say so.
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$root/scripts/setup.sh"

# Peers that only tests speak with are unpacked beside the npm packages, not installed: this machine is not changed for them.
peers=$root/node_modules/.cache/towtank-peers
download() (cd "$peers" && timeout 60 apt-get download -qq "$1" && dpkg-deb -x "$1"_*.deb . && rm -f "$1"_*.deb) >/dev/null 2>&1
for peer in kubectl:kubernetes-client etcd:etcd-server; do
  command -v "${peer%%:*}" >/dev/null 2>&1 || [ -x "$peers/usr/bin/${peer%%:*}" ] && continue
  command -v apt-get >/dev/null 2>&1 && mkdir -p "$peers" 2>/dev/null || continue
  say "fetching ${peer%%:*} for the tests"
  download "${peer#*:}" || { [ "$(id -u)" = 0 ] && timeout 60 apt-get update -qq >/dev/null 2>&1 && download "${peer#*:}"; } ||
    say "${peer%%:*} cannot be had here: its tests are skipped"
done

# The oldest Node that package.json names, for the test of the installed package.
oldest=$(sed -n 's/.*"node": ">=\([0-9.]*\)".*/\1/p' "$root/package.json")
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch= ;; esac
if [ -n "$arch" ] && [ ! -x "$peers/usr/bin/node-$oldest" ] && mkdir -p "$peers/usr/bin" 2>/dev/null; then
  say "fetching Node $oldest for the tests"
  (
    cd "$peers" && timeout 120 npm pack --silent "node-linux-$arch@$oldest" &&
      tar -xzf "node-linux-$arch-$oldest.tgz" package/bin/node && mv package/bin/node "usr/bin/node-$oldest"
    rm -rf package "node-linux-$arch-$oldest.tgz"
  ) >/dev/null 2>&1
  [ -x "$peers/usr/bin/node-$oldest" ] || say "Node $oldest cannot be had here: its test is skipped"
fi

case " $* " in *' container '*) install_container_tools ;; esac

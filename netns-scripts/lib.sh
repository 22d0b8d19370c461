# Shared by all acts: where we are, what the machines are called, and how one act calls for the acts before it.
# Sourced, not run. POSIX sh.

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
PATH="$PATH:/usr/sbin:/sbin"

# The plan. Two nodes on one switch ("fabric"), one range of pod addresses per node, and a client that is not in the cluster.
FABRIC=172.18.0.1
NODE1=172.18.0.2
NODE2=172.18.0.3
CLIENT=172.18.1.1
PODS1=10.244.1.0/24
PODS2=10.244.2.0/24
WEB1=10.244.1.10
WEB2=10.244.2.10
CALLER=10.244.1.20
CLUSTER_IP=10.96.0.100
NODE_PORT=30080

# Every command that matters is shown before it runs.
run() {
  [ -n "${QUIET-}" ] || printf '  $ %s\n' "$*"
  "$@"
}
tell() { [ -n "${QUIET-}" ] || printf '%s\n' "$*"; }

# Runs a command inside one of the machines. nsenter instead of `ip netns exec`: the latter wants to mount /sys again.
at() {
  machine=$1
  shift
  nsenter --net="/run/netns/$machine" "$@"
}

# Goes on in a private user (when not root), mount, pid and network namespace: nothing of this touches the machine, and when
# the script ends, or is killed, the kernel removes all of it. Within 00-shell.sh we are inside already.
enter() {
  [ -z "${TOWTANK_LAB-}" ] || return 0
  user=
  [ "$(id -u)" = 0 ] || user='--user --map-root-user'
  TOWTANK_LAB=1
  export TOWTANK_LAB
  # shellcheck disable=SC2086
  exec unshare $user --net --mount --pid --fork --kill-child --mount-proc sh -c '
    mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/netns && mount -t sysfs sysfs /sys || exit 1
    exec sh "$@"' sh "$0" "$@"
}

# need ACT: runs an earlier act quietly unless it has been done in this lab.
need() {
  [ -e "/run/done-$1" ] || QUIET=1 sh "$here/$1.sh" >/dev/null || exit 1
}
finish() { touch "/run/done-$1"; }

# serve MACHINE ADDRESS: a web server on port 80 of that machine that answers with the machine's name.
# WITHOUT_PYTHON=1 takes perl although python3 is there.
serve() {
  if [ -z "${WITHOUT_PYTHON-}" ] && command -v python3 >/dev/null 2>&1; then
    at "$1" python3 -c '
import http.server, socketserver, sys
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (sys.argv[1] + " saw " + self.client_address[0] + "\n").encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
# Not HTTPServer: that one asks the resolver for its own name first, and there is none here.
socketserver.ThreadingTCPServer((sys.argv[2], 80), Web).serve_forever()' "$1" "$2" >/dev/null 2>&1 &
  elif command -v perl >/dev/null 2>&1; then
    at "$1" perl -MSocket -e '
my ($name, $address) = @ARGV; $SIG{CHLD} = "IGNORE";
socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(80, inet_aton($address))) or die $!; listen(S, 64);
while (my $peer = accept(C, S)) { my (undef, $ip) = sockaddr_in($peer); sysread(C, my $head, 4096);
  my $body = "$name saw " . inet_ntoa($ip) . "\n"; syswrite(C, "HTTP/1.1 200 OK\r\ncontent-length: " . length($body) . "\r\nconnection: close\r\n\r\n$body"); close C }' "$1" "$2" >/dev/null 2>&1 &
  else
    echo 'these scripts need python3 or perl for their web servers' >&2
    exit 2
  fi
  # The server is up when a connection succeeds.
  tries=0
  until at "$1" curl -s -o /dev/null --max-time 1 "http://$2/"; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || exit 1
    sleep 0.1
  done
}

# fetch MACHINE URL: one request, the answer on one line; fails when there is none.
fetch() { at "$1" curl -sS --max-time 3 "$2"; }

# Sourced by ./towtank and scripts/test.sh: finds or installs what is missing. POSIX sh, quick when nothing is missing.
# Sets: root (given by the caller), node (the Node to run). Functions print to standard error only.

say() { printf 'towtank: %s\n' "$*" >&2; }

# sbin is often not on an ordinary user's PATH, the network programs live there.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

# Node >= 22.19 runs TypeScript as it is; an older one only has to be able to run npm.
node_is_new_enough() {
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v}
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  [ "$major" -gt 22 ] || { [ "$major" -eq 22 ] && [ "$minor" -ge 19 ]; }
}

find_node() {
  node=$root/node_modules/node/bin/node
  [ -x "$node" ] && return 0
  node=$(command -v node) && node_is_new_enough "$node"
}

# The stamp is a copy of the lock file.
npm_packages_present() {
  cmp -s "$root/package-lock.json" "$root/node_modules/.towtank-lock"
}

install_npm_packages() {
  command -v npm >/dev/null 2>&1 || {
    say 'Node.js with npm is missing: install Node >= 20 (https://nodejs.org), then run this again'
    exit 2
  }
  say 'installing npm packages (once, about half a minute)'
  [ -w "$root" ] || {
    say "cannot write to $root: run once as the user who owns it"
    exit 2
  }
  (
    # Two first runs at once take turns; the second finds the work done.
    command -v flock >/dev/null 2>&1 && flock 9
    npm_packages_present && exit 0
    cd "$root" || exit 1
    npm install --no-save --no-audit --no-fund --loglevel=error >&2 || exit 1
    cp package-lock.json node_modules/.towtank-lock
  ) 9<"$root/package.json"
  [ $? -eq 0 ] || {
    say 'npm install failed (its message stands above); nothing else was changed'
    exit 2
  }
}

# Sets `entry`: the bundle, made anew when a source is newer; the sources themselves where it cannot be written.
find_entry() {
  entry=$root/dist/cli.js
  [ -e "$root/dist/.built" ] && [ -z "$(find "$root/src" "$root/package.json" -newer "$root/dist/.built" -print -quit)" ] && return 0
  if [ ! -w "$root" ] || ! "$node" --disable-warning=ExperimentalWarning "$root/scripts/build.ts" >&2; then
    entry=$root/src/cli/main.ts
  fi
}

missing_programs() {
  missing=
  for program in ip:iproute2 iptables-restore:iptables nft:nftables conntrack:conntrack curl:curl unshare:util-linux nsenter:util-linux mount:mount; do
    command -v "${program%%:*}" >/dev/null 2>&1 || case " $missing " in
      *" ${program#*:} "*) ;;
      *) missing="$missing ${program#*:}" ;;
    esac
  done
  missing=${missing# }
}

# Outside Debian some packages have other names; further rules of sed may follow.
elsewhere() { printf '%s' "$missing" | sed "s/conntrack/conntrack-tools/; s/\<mount\>/util-linux/${1:+; $1}"; }

# The same packages under the names of the distribution's package manager; sets `install` to the command words.
package_command() {
  if command -v apt-get >/dev/null 2>&1; then
    install="apt-get install -y --no-install-recommends $missing"
  elif command -v dnf >/dev/null 2>&1; then
    install="dnf install -y $(elsewhere 's/iproute2/iproute/; s/\<iptables\>/iptables-nft/')"
  elif command -v pacman >/dev/null 2>&1; then
    install="pacman -S --noconfirm --needed $(elsewhere 's/\<iptables\>/iptables-nft/')"
  elif command -v apk >/dev/null 2>&1; then
    install="apk add $(elsewhere)"
  elif command -v zypper >/dev/null 2>&1; then
    install="zypper --non-interactive install $(elsewhere)"
  else
    install=
  fi
}

ensure_programs() {
  missing_programs
  [ -z "$missing" ] && return 0
  package_command
  sudo=
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo=sudo; else install_by_hand; fi
  fi
  [ -n "$install" ] || install_by_hand
  say "installing system packages: $missing"
  case $install in apt-get*) DEBIAN_FRONTEND=noninteractive $sudo apt-get update -qq >&2 || install_by_hand ;; esac
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive $sudo $install >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    install_by_hand
  fi
  rm -f "$log"
  missing_programs
  [ -z "$missing" ] || install_by_hand
}

install_by_hand() {
  if [ -n "$install" ]; then say "these system packages are missing: $missing. As root, run: $install"
  else say "these system packages are missing: $missing. Install them with your package manager"; fi
  exit 2
}

# What only the tests of the container image need; only as root, and never a reason to stop: those tests are skipped without it.
install_container_tools() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 0
  command -v podman >/dev/null 2>&1 && command -v runc >/dev/null 2>&1 && command -v mmdebstrap >/dev/null 2>&1 && return 0
  say 'installing podman, runc and mmdebstrap for the tests of the container image (once, about half a minute)'
  log=$(mktemp)
  options='-o Acquire::Retries=1 -o Acquire::http::Timeout=30'
  if ! { apt-get $options update -qq && DEBIAN_FRONTEND=noninteractive apt-get $options install -y --no-install-recommends podman runc mmdebstrap; } >"$log" 2>&1 </dev/null; then
    tail -n 3 "$log" >&2
    say 'they could not be installed; the tests of the container image are skipped'
  fi
  rm -f "$log"
}

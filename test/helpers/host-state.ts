import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a cluster must never change on the machine that runs it. */
export function readHostState(): Readonly<Record<string, string>> {
  const run = (...words: readonly string[]): string =>
    spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8' }).stdout ?? '';
  const sysctls = [
    'net/ipv4/ip_forward',
    'net/ipv6/conf/all/forwarding',
    'net/ipv4/conf/all/route_localnet',
    'net/bridge/bridge-nf-call-iptables',
  ];
  return {
    links: run('ip', '-o', 'link').replaceAll(/(qlen|state) \S+/g, ''),
    addresses: run('ip', '-o', 'address').replaceAll(/(valid|preferred)_lft \S+/g, ''),
    routes: run('ip', 'route'),
    namespaces: run('ip', 'netns'),
    mounts: readFileSync('/proc/self/mounts', 'utf8'),
    iptables: run('iptables-save').replaceAll(/^#.*$/gm, ''),
    nftables: run('nft', 'list', 'ruleset'),
    sysctls: sysctls.map((name) => `${name} ${readOptional(`/proc/sys/${name}`)}`).join('\n'),
  };
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Not there: also a state that must stay.
    return 'absent';
  }
}

/** Pids of all processes in the pid namespace that has `pid` as its first process, as this machine numbers them. */
export function processesOf(pid: number): readonly number[] {
  const namespace = readlinkSync(`/proc/${pid}/ns/pid_for_children`);
  return allProcesses().filter((other) => namespacesOf(other).includes(namespace));
}

function namespacesOf(pid: number): readonly string[] {
  try {
    return [readlinkSync(`/proc/${pid}/ns/pid`), readlinkSync(`/proc/${pid}/ns/pid_for_children`)];
  } catch {
    // Gone, or another user's.
    return [];
  }
}

export function allProcesses(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

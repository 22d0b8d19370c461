import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { AF_INET, AF_PACKET, IPPROTO_SCTP, IPPROTO_TCP, MNT_DETACH, SOCK_RAW, SOCK_STREAM } from '../ffi/constants.ts';
import { openSocket, systemCall } from '../ffi/system-calls.ts';
import { createConntrackRunner } from '../runners/conntrack-runner.ts';
import { readSysctl, writeSysctl } from '../sysctl.ts';
import type { Probe } from './finding.ts';
import { canFilter, canLink, canRun, canRunNft, inScratch } from './scratch.ts';

const veth = { kind: 'addVeth', name: 'v0', up: true, peer: { name: 'v1' } } as const;

function probe(name: string, about: Omit<Probe, 'name' | 'required'> & { readonly required?: boolean }): Probe {
  return { name, required: false, ...about };
}

const linkProbes: readonly Probe[] = [
  probe('veth', {
    required: true,
    costs: 'no cluster starts',
    remedy: 'CONFIG_VETH (modprobe veth)',
    run: canLink(veth),
  }),
  probe('bridge', {
    required: true,
    costs: 'no cluster starts',
    remedy: 'CONFIG_BRIDGE (modprobe bridge)',
    run: canLink({ kind: 'addBridge', name: 'br0' }),
  }),
  probe('vxlan', {
    costs: 'no overlay between nodes',
    remedy: 'CONFIG_VXLAN (modprobe vxlan)',
    run: canLink({ kind: 'addVxlan', name: 'vx0', id: 1, local: '127.0.0.1' }),
  }),
  probe('bridged packets pass iptables', {
    costs: 'no pods on bridges (cni: bridge)',
    remedy: 'CONFIG_BRIDGE_NETFILTER (modprobe br_netfilter)',
    run: () =>
      inScratch(
        (netns) => `net.bridge.bridge-nf-call-iptables=${readSysctl(netns, 'net.bridge.bridge-nf-call-iptables')}`,
      ),
  }),
  probe('IPv6', {
    costs: 'no IPv6 and no dual-stack clusters',
    remedy: 'boot without ipv6.disable=1',
    run: () =>
      inScratch((netns) => {
        writeSysctl(netns, 'net.ipv6.conf.all.forwarding', 1);
        return 'forwards';
      }),
  }),
  probe('netem', {
    costs: 'the kernel cannot delay packets between nodes',
    remedy: 'CONFIG_NET_SCH_NETEM (modprobe sch_netem)',
    run: canRun(['tc', 'qdisc', 'add', 'dev', 'v0', 'root', 'netem', 'delay', '1ms'], veth),
  }),
  probe('tbf', {
    costs: 'no bandwidth limits',
    remedy: 'CONFIG_NET_SCH_TBF (modprobe sch_tbf)',
    run: canRun(
      ['tc', 'qdisc', 'add', 'dev', 'v0', 'root', 'tbf', 'rate', '1mbit', 'burst', '4k', 'latency', '10ms'],
      veth,
    ),
  }),
];

const iptablesRules: Readonly<Record<string, readonly string[]>> = {
  nat: ['nat -A OUTPUT -p tcp -j REDIRECT --to-ports 1', 'nat -A POSTROUTING -j MASQUERADE'],
  conntrack: ['filter -A FORWARD -m conntrack --ctstate INVALID -j DROP'],
  comment: ['filter -A FORWARD -m comment --comment towtank -j ACCEPT'],
  statistic: ['nat -A OUTPUT -m statistic --mode random --probability 0.5 -j ACCEPT'],
  recent: ['nat -A OUTPUT -m recent --name x --rcheck --seconds 10 --reap -j ACCEPT'],
  addrtype: ['nat -A OUTPUT -m addrtype --dst-type LOCAL -j ACCEPT'],
  mark: ['nat -A OUTPUT -m mark --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0'],
  REJECT: ['filter -A OUTPUT -j REJECT'],
  socket: ['mangle -A PREROUTING -p tcp -m socket --transparent -j ACCEPT'],
  multiport: ['filter -A OUTPUT -p tcp -m multiport --dports 1,2 -j ACCEPT'],
  TRACE: ['raw -A PREROUTING -j TRACE'],
};

const iptablesCosts: Readonly<Record<string, string>> = {
  recent: 'no session affinity in proxy mode iptables',
  statistic: 'no more than one endpoint for each Service in proxy mode iptables',
  socket: 'userspace mode with portal rules iptables cannot preserve client addresses',
  multiport: 'nothing of towtank; some rules of yours',
  TRACE: 'explain cannot follow packets through iptables',
};

function iptablesProbes(backend: 'nft' | 'legacy'): readonly Probe[] {
  const kernel = backend === 'nft' ? 'CONFIG_NFT_COMPAT' : 'CONFIG_IP_NF_IPTABLES_LEGACY, CONFIG_IP_NF_NAT';
  return Object.entries(iptablesRules).map(([name, rules]) =>
    probe(`iptables-${backend} ${name}`, {
      costs: iptablesCosts[name] ?? `no proxy mode iptables with the ${backend} back end`,
      remedy: `${kernel} and CONFIG_NETFILTER_XT_${/[A-Z]/.test(name) ? 'TARGET' : 'MATCH'}_${name.toUpperCase()}`,
      run: canFilter(backend, rules),
    }),
  );
}

const chain = (family: string, ...rules: readonly string[]): readonly string[] => [
  `table ${family} t {`,
  'chain c {',
  `type ${family === 'bridge' ? 'filter hook forward' : 'nat hook output'} priority 0`,
  ...rules,
  '}',
  '}',
];

const nftProbes: readonly Probe[] = [
  probe('nft nat', {
    costs: 'no proxy mode nftables',
    remedy: 'CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ',
    run: canRunNft(
      ...chain('ip', 'ip daddr 10.0.0.1 tcp dport 80 dnat to 10.0.0.2:80'),
      ...chain('ip6', 'meta l4proto tcp dnat to [fd00::2]:80'),
    ),
  }),
  probe('nft numgen', {
    costs: 'no spreading over endpoints in proxy mode nftables',
    remedy: 'CONFIG_NFT_NUMGEN',
    run: canRunNft(...chain('ip', 'numgen random mod 2 vmap { 0 : accept, 1 : drop }')),
  }),
  probe('nft fib', {
    costs: 'no NodePorts in proxy mode nftables',
    remedy: 'CONFIG_NFT_FIB, CONFIG_NFT_FIB_IPV4, CONFIG_NFT_FIB_IPV6',
    run: canRunNft(...chain('ip', 'fib daddr type local accept'), ...chain('ip6', 'fib daddr type local accept')),
  }),
  probe('nft verdict maps', {
    costs: 'no proxy mode nftables',
    remedy: 'Linux 5.6 or newer, nftables 0.9.4 or newer',
    run: canRunNft(
      'table ip t {',
      'chain x {',
      '}',
      'map services {',
      'type ipv4_addr . inet_proto . inet_service : verdict',
      'elements = { 10.0.0.1 . tcp . 80 : goto x }',
      '}',
      'chain c {',
      'type nat hook output priority 0',
      'ip daddr . meta l4proto . th dport vmap @services',
      '}',
      '}',
    ),
  }),
  probe('nft sets with timeouts', {
    costs: 'no session affinity in proxy mode nftables',
    remedy: 'CONFIG_NF_TABLES with dynamic sets (Linux 4.1 or newer)',
    run: canRunNft(
      'table ip t {',
      'set a {',
      'type ipv4_addr',
      'flags dynamic, timeout',
      'timeout 10s',
      '}',
      '}',
      'add chain ip t c',
      'add rule ip t c update @a { ip saddr }',
    ),
  }),
  probe('nft socket', {
    costs: 'userspace mode cannot preserve client addresses',
    remedy: 'CONFIG_NFT_SOCKET, CONFIG_NF_SOCKET_IPV4, CONFIG_NF_SOCKET_IPV6',
    run: canRunNft(
      'table inet t {',
      'chain c {',
      'type filter hook prerouting priority -150',
      'meta l4proto tcp socket transparent 1 accept',
      '}',
      '}',
    ),
  }),
  probe('nft trace', {
    costs: 'explain cannot follow packets through nftables',
    remedy: 'CONFIG_NF_TABLES with tracing (Linux 4.6 or newer)',
    run: canRunNft(...chain('ip', 'meta nftrace set 1')),
  }),
  probe('nft bridge', {
    costs: 'no packet loss and partitions between nodes',
    remedy: 'CONFIG_NF_TABLES_BRIDGE',
    run: canRunNft(...chain('bridge', 'ether saddr 02:42:ac:12:00:02 drop', 'numgen random mod 1000 < 300 drop')),
  }),
];

const otherProbes: readonly Probe[] = [
  probe('connection tracking', {
    required: true,
    costs: 'no proxy mode iptables or nftables',
    remedy: 'CONFIG_NF_CONNTRACK, CONFIG_NF_CT_NETLINK (modprobe nf_conntrack_netlink)',
    run: () =>
      inScratch(async (netns) => {
        await createConntrackRunner(netns).list('ipv4', 'tcp');
        return 'works';
      }),
  }),
  probe('SCTP', {
    costs: 'no pods that listen on SCTP; Services of it are programmed, but nothing can answer',
    remedy: 'CONFIG_IP_SCTP (modprobe sctp)',
    run: () => openAndClose(SOCK_STREAM, IPPROTO_SCTP),
  }),
  probe('packet sockets', {
    costs: 'no announcements of load balancer addresses, no delays between nodes',
    remedy: 'CONFIG_PACKET',
    run: () => openAndClose(SOCK_RAW, 0, AF_PACKET),
  }),
  probe('IPVS', {
    costs: 'nothing: towtank has no proxy mode ipvs',
    remedy: 'CONFIG_IP_VS (modprobe ip_vs)',
    run: () => existing('/proc/net/ip_vs'),
  }),
  probe('TUN', {
    costs: 'programs in pods that make tunnels of their own',
    remedy: 'CONFIG_TUN, and /dev/net/tun open to this user',
    run: () => {
      closeSync(openSync('/dev/net/tun', 'r+'));
      return 'opens';
    },
  }),
  probe('terminals', {
    costs: 'no terminals: exec -t, shell',
    remedy: 'CONFIG_UNIX98_PTYS, /dev/pts mounted',
    run: () => {
      closeSync(openSync('/dev/ptmx', 'r+'));
      return 'opens';
    },
  }),
  probe('overlay', {
    costs: 'volumes are mounted only where the host has the folder already',
    remedy: 'CONFIG_OVERLAY_FS, Linux 5.11 or newer for ordinary users',
    run: mountOverlay,
  }),
];

/** What only a namespace of one's own can tell. To be run in a sandbox. */
export const kernelProbes: readonly Probe[] = [
  ...linkProbes,
  ...iptablesProbes('nft'),
  ...iptablesProbes('legacy'),
  ...nftProbes,
  ...otherProbes,
];

function openAndClose(type: number, protocol: number = IPPROTO_TCP, domain: number = AF_INET): string {
  closeSync(openSocket(domain, type, protocol));
  return 'opens';
}

function existing(path: string): string {
  if (!existsSync(path)) throw new Error(`no ${path}`);
  return path;
}

function mountOverlay(): string {
  for (const name of ['upper', 'work', 'merged']) mkdirSync(`/run/doctor/${name}`, { recursive: true });
  const options = 'lowerdir=/usr,upperdir=/run/doctor/upper,workdir=/run/doctor/work';
  const mount = (extra: string) =>
    systemCall('mount', ['overlay', '/run/doctor/merged', 'overlay', 0, options + extra]);
  try {
    mount('');
  } catch {
    mount(',userxattr');
  }
  systemCall('umount2', ['/run/doctor/merged', MNT_DETACH]);
  return 'mounts';
}

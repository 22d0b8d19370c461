import { isIPv6 } from 'node:net';
import { UserError } from '../../errors/towtank-error.ts';
import type { BuiltinContext, BuiltinImage } from '../../kubelet/images/builtin-image.ts';
import { type DnsImageOptions, readGoFlags } from './dns-image.ts';
import { DnsProcess, type DnsProcessOptions } from './dns-process.ts';
import { openNodeCacheNetwork } from './node-cache-network.ts';

const FLAGS = {
  localip: '',
  basecorefile: '/etc/coredns/Corefile.base',
  // Where the real program writes what it made of the base file; here it stays in memory.
  conf: '/etc/Corefile',
  upstreamsvc: 'kube-dns',
  interfacename: 'nodelocaldns',
};

/** The image of NodeLocal DNSCache: a DNS server with a cache at a link-local address of its node, in front of cluster DNS. */
export function createNodeCacheImage(options: DnsImageOptions): BuiltinImage {
  return {
    names: ['k8s-dns-node-cache'],
    summary: "a node's DNS cache; reads the Corefile that -basecorefile names",
    programs: ['/node-cache', 'node-cache'],
    entrypoint: 'own',
    start: (context) => new DnsProcess(context, (own) => readOptions(own, options)),
  };
}

function readOptions(context: BuiltinContext, options: DnsImageOptions): DnsProcessOptions {
  const { localip, basecorefile, upstreamsvc, interfacename } = readGoFlags(context.args, FLAGS);
  const addresses = localip.split(',').filter((address) => address !== '');
  if (addresses.length === 0) {
    throw new UserError({
      code: 'ERR_DNS_CONFIG',
      message: 'no listen IP specified',
      hint: 'name the address of the cache with -localip 169.254.20.10',
    });
  }
  const { zone, clock, random, reachable } = options;
  const upstream = context.env[`${upstreamsvc.toUpperCase().replaceAll('-', '_')}_SERVICE_HOST`] ?? '';
  return {
    ...{ zone, clock, random, upstream: reachable, corefile: basecorefile },
    adapt: (text) => fillIn(text, upstream, addresses),
    prepare: () => openNodeCacheNetwork(context.netns, { link: interfacename, addresses }),
  };
}

// As the real program fills in its base file; where a cluster has only one family, the other's addresses are not there.
function fillIn(text: string, upstream: string, addresses: readonly string[]): string {
  return text
    .replaceAll('__PILLAR__LOCAL__DNS__', addresses.filter((address) => !isIPv6(address)).join(' '))
    .replaceAll('__PILLAR__CLUSTER__DNS__', upstream)
    .replaceAll('__PILLAR__UPSTREAM__SERVERS__', '/etc/resolv.conf');
}

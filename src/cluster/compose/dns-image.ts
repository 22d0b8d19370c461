import { parseArgs } from 'node:util';
import type { ZoneProvider } from '../../dns/zone/cluster-zone.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { BuiltinImage } from '../../kubelet/images/builtin-image.ts';
import { DnsProcess } from './dns-process.ts';

export interface DnsImageOptions {
  /** The cluster's objects, shared by all replicas. */
  readonly zone: ZoneProvider;
  readonly clock: Clock;
  readonly random: Random;
  /** Networks (CIDR) in which other name servers can be asked. */
  readonly reachable: readonly string[];
}

/** The image of CoreDNS: towtank's own DNS server in the pod's network, with the pod's Corefile. */
export function createDnsImage({ zone, clock, random, reachable }: DnsImageOptions): BuiltinImage {
  return {
    names: ['coredns'],
    summary: 'cluster DNS; reads the Corefile that -conf names',
    programs: ['/coredns', 'coredns'],
    entrypoint: 'own',
    start: (context) =>
      new DnsProcess(context, ({ args }) => ({
        ...{ zone, clock, random, upstream: reachable },
        corefile: readGoFlags(args, { conf: 'Corefile' }).conf,
      })),
  };
}

/** Flags as Go's flag package reads them, `-name value` or `-name=value`, all of them text. Throws for unknown ones. */
export function readGoFlags<K extends string>(
  args: readonly string[],
  defaults: Readonly<Record<K, string>>,
): Readonly<Record<K, string>> {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: args.map((word) => word.replace(/^-(?=[a-z])/, '--')), options });
  return { ...defaults, ...values };
}

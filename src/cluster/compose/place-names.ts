import { lookup } from 'node:dns/promises';
import { runQuery } from '../../dns/query/run-query.ts';
import { RecordType } from '../../dns/wire/record-type.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { Pod } from '../../kube/generated/types.ts';
import { buildResolvConf, type NodeDns, type ResolvConf } from '../../kube/resolv-conf.ts';
import { namespaceDnsNetwork } from './namespace-dns-network.ts';
import { systemClock } from './system-clock.ts';

/** How names are resolved where no place has a resolver file of its own: by asking cluster DNS in this process. */
export interface PlaceNames {
  /** What the resolver file of a pod would say; of a node or the outside client, when there is no pod. */
  conf(pod?: Pod): ResolvConf;
  /** Addresses of a name; those of other machines as this one knows them. Rejects when there are none. */
  lookUp(netns: NetworkNamespace, host: string, conf: ResolvConf): Promise<readonly string[]>;
}

/** Makes it for a cluster whose kubelets know this of DNS. */
export function createPlaceNames(dns: NodeDns): PlaceNames {
  const outside: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'default' }, spec: { containers: [] } };
  return {
    conf: (pod = outside) => buildResolvConf(pod, dns).conf,
    lookUp: async (netns, host, conf) => {
      const found = conf.nameservers.length > 0 ? await askCluster(netns, host, conf) : [];
      return found.length > 0 ? found : askMachine(host);
    },
  };
}

async function askCluster(netns: NetworkNamespace, host: string, conf: ResolvConf): Promise<readonly string[]> {
  const network = namespaceDnsNetwork(netns);
  const options = { conf, library: 'glibc', network, clock: systemClock, random: Math.random } as const;
  const { steps } = await runQuery(host, RecordType.A, options);
  return (steps.at(-1)?.records ?? []).flatMap((record) => / IN A (\S+)$/.exec(record)?.[1] ?? []);
}

async function askMachine(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new UserError({
      code: 'ERR_SYSCALL',
      message: `the name ${host} was not found`,
      hint: 'neither cluster DNS nor this machine knows it',
      cause,
    });
  }
}

import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Explain, explainAnswers } from '../../dns/query/explain-answers.ts';
import { runQuery } from '../../dns/query/run-query.ts';
import { reverseName } from '../../dns/wire/ip.ts';
import { parseRecordType, printRecordType } from '../../dns/wire/record-type.ts';
import type { ZoneProvider } from '../../dns/zone/cluster-zone.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { ExecOptions, ExitStatus } from '../../kube/kubelet-connection.ts';
import { parseResolvConf, type ResolvConf } from '../../kube/resolv-conf.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { DnsQueryAnswer, DnsQueryRequest } from '../control/protocol.ts';
import { namespaceDnsNetwork } from './namespace-dns-network.ts';
import { systemClock } from './system-clock.ts';

/** A place that names are resolved at. */
export interface ResolvingPlace {
  readonly netns: NetworkNamespace;
  /** What its resolver file says; undefined: the file that a program reads there. */
  readonly conf: ResolvConf | undefined;
  /** Runs a command there. */
  readonly run: (options: ExecOptions) => Promise<ExitStatus>;
}

/** What explains the answers of the cluster's DNS. */
export interface QueryContext {
  readonly client: KubeClient;
  readonly zone: ZoneProvider;
  /** Addresses at which the cluster's DNS answers. */
  readonly clusterDNS: readonly string[];
}

/** Resolves a name as a program in this place would, and says of each question what came back and why. */
export async function queryDns(
  place: ResolvingPlace,
  request: Omit<DnsQueryRequest, 'from'>,
  context: QueryContext,
): Promise<DnsQueryAnswer> {
  const reverse = reverseName(request.name);
  const type = typeOf(request.type ?? (reverse === undefined ? 'A' : 'PTR'));
  const [conf, explain] = await Promise.all([readResolvConf(place), explainCluster(context)]);
  const result = await runQuery(reverse ?? request.name, type, {
    ...{ conf, library: request.library, network: namespaceDnsNetwork(place.netns) },
    ...{ clock: systemClock, random: Math.random },
    explain: ({ name, type: asked, server }) =>
      context.clusterDNS.includes(server) ? explain?.(name, asked) : 'a name server outside of the cluster',
  });
  return { ...result, conf, steps: result.steps.map((step) => ({ ...step, type: printRecordType(step.type) })) };
}

function typeOf(text: string): number {
  const type = parseRecordType(text);
  if (type !== undefined) return type;
  throw new UserError({
    code: 'ERR_USAGE',
    message: `"${text}" is no type of record`,
    hint: 'for example A, AAAA, SRV, PTR, TXT, or TYPE65',
  });
}

// The file that programs in this place read, whatever put it there.
async function readResolvConf({ run, conf: known }: ResolvingPlace): Promise<ResolvConf> {
  if (known !== undefined) return known;
  const stdout = new PassThrough();
  const output = text(stdout);
  const { signal } = new AbortController();
  const { exitCode } = await run({ command: ['cat', '/etc/resolv.conf'], stdout, tty: false, signal });
  stdout.end();
  const conf = parseResolvConf(await output);
  if (exitCode === 0 && conf.nameservers.length > 0) return conf;
  throw new UserError({
    code: 'ERR_USAGE',
    message: 'the resolv.conf of this place names no name server',
    hint: "pods get theirs by dnsPolicy; with `dnsPolicy: Default` it is the node's, which has none here",
  });
}

// As CoreDNS in the cluster would: by its ConfigMap. Where a cluster has none, or a faulty one, nothing is explained.
async function explainCluster({ client, zone }: QueryContext): Promise<Explain | undefined> {
  try {
    const { data } = await client.get(resources.configMaps, { namespace: 'kube-system', name: 'coredns' });
    return await explainAnswers(data?.['Corefile'] ?? '', zone);
  } catch (error) {
    if (isReason(error, 'NotFound') || (error instanceof UserError && error.code === 'ERR_DNS_CONFIG'))
      return undefined;
    throw error;
  }
}

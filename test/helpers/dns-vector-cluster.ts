import type { Packet } from 'dns-packet';
import type { KubeObject } from '../../src/kube/resources.ts';
import { readDnsVectors } from './dns-vectors.ts';

/** One line of configs.ndjson. */
export interface VectorConfig {
  readonly name: string;
  readonly fixture: string | null;
  readonly zones: readonly string[];
  readonly podMode: string;
  readonly ttl: number;
  readonly namespaces?: readonly string[];
  readonly namespaceLabels?: string;
  readonly ignoreEmptyService?: boolean;
  readonly endpointPodNames?: boolean;
  readonly noEndpoints?: boolean;
  readonly zonal?: boolean;
  readonly multiclusterZones?: readonly string[];
  readonly fallthrough?: readonly string[];
  readonly upstream?: string;
  readonly loadbalance?: string;
  readonly cache?: number;
  readonly autopath?: boolean;
  readonly transferTo?: readonly string[];
  readonly localIPs?: readonly string[];
  readonly external?: { readonly zones: readonly string[]; readonly headless: boolean; readonly ttl: number };
  readonly synced?: boolean;
}

export function vectorConfigs(): readonly VectorConfig[] {
  return readDnsVectors<VectorConfig>('configs');
}

/** The API objects of a fixture. */
export function fixtureObjects(fixture: string | null): readonly KubeObject[] {
  return readDnsVectors<KubeObject & { fixture: string }>('fixtures')
    .filter((object) => object.fixture === fixture)
    .map(({ fixture: _fixture, ...object }) => object);
}

/** A Corefile that says what a line of configs.ndjson says. */
export function corefileOf(config: VectorConfig, upstreamPort: number): string {
  const zone = [
    `kubernetes ${config.zones.join(' ')} {`,
    `  pods ${config.podMode}`,
    `  ttl ${config.ttl}`,
    ...optional('namespaces', config.namespaces),
    ...optional('namespace_labels', config.namespaceLabels === undefined ? undefined : [config.namespaceLabels]),
    ...optional('fallthrough', config.fallthrough),
    ...optional('multicluster', config.multiclusterZones),
    config.ignoreEmptyService ? '  ignore empty_service' : '',
    config.endpointPodNames ? '  endpoint_pod_names' : '',
    config.noEndpoints ? '  noendpoints' : '',
    config.zonal ? '  zonal' : '',
    '  startup_timeout 0s',
    '}',
  ];
  const external = config.external && [
    `k8s_external ${config.external.zones.join(' ')} {`,
    `  ttl ${config.external.ttl}`,
    config.external.headless ? '  headless' : '',
    '}',
  ];
  const lines = [
    ...zone,
    ...(external ?? []),
    config.upstream === undefined ? '' : `forward . 127.0.0.1:${upstreamPort}`,
    config.loadbalance === undefined ? '' : `loadbalance ${config.loadbalance}`,
    config.cache === undefined ? '' : `cache ${config.cache}`,
    config.autopath ? 'autopath @kubernetes' : '',
    config.transferTo === undefined ? '' : `transfer {\n  to ${config.transferTo.join(' ')}\n}`,
  ];
  return `. {\n${lines.filter((line) => line !== '').join('\n')}\n}\n`;
}

interface UpstreamRule {
  readonly qname: string;
  readonly qtype: string;
  readonly rcode: string;
  readonly tc?: boolean;
  readonly answer: readonly { name: string; type: string; ttl: number; data: unknown }[];
  readonly authority?: readonly { name: string; type: string; ttl: number; data: unknown }[];
}

/** Answers as upstream.ndjson says: the first rule that fits; TC only over UDP. */
export function upstreamAnswer(query: Packet, transport: 'udp' | 'tcp'): Packet {
  const question = query.questions?.[0];
  const name = `${question?.name ?? ''}.`.replace(/^\.$/, '.').toLowerCase();
  const qname = name === '.' || name === '..' ? '.' : name;
  const rule = readDnsVectors<UpstreamRule>('upstream').find(
    (line) => (line.qname === '*' || line.qname === qname) && (line.qtype === '*' || line.qtype === question?.type),
  )!;
  const records = (list: UpstreamRule['answer'] = []) =>
    list.map(({ name: owner, ...record }) => ({ ...record, name: bare(owner), data: bareData(record.data) }));
  const rcode = { NOERROR: 0, NXDOMAIN: 3 }[rule.rcode]!;
  const edns = query.additionals?.find((record) => record.type === 'OPT');
  return {
    flags: 0x0180 | rcode | (rule.tc && transport === 'udp' ? 0x0200 : 0),
    answers: records(rule.answer),
    authorities: records(rule.authority),
    additionals: edns ? [{ ...edns, options: [] }] : [],
  } as unknown as Packet;
}

function bare(name: string): string {
  return name === '.' ? '.' : name.replace(/\.$/, '');
}

function bareData(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  const { mname, rname } = data as { mname?: string; rname?: string };
  return { ...data, ...(mname ? { mname: bare(mname) } : {}), ...(rname ? { rname: bare(rname) } : {}) };
}

function optional(name: string, values: readonly string[] | undefined): readonly string[] {
  return values === undefined ? [] : [`  ${name} ${values.join(' ')}`];
}

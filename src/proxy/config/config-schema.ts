import { familyOf, parsePrefix } from '../../netfilter/address.ts';
import { splitHostPort } from '../health/http-listener.ts';
import { parseGoDuration } from './go-duration.ts';

/** What a field may hold: a check of its value that tells what is wrong, or the fields of an object. */
export type FieldSchema = ((value: unknown) => string | undefined) | { readonly [field: string]: FieldSchema };

const text = (value: unknown): string | undefined => (typeof value === 'string' ? undefined : 'must be text');
const flag: FieldSchema = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const number: FieldSchema = (value) => (typeof value === 'number' ? undefined : 'must be a number');

function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): FieldSchema {
  const range = maximum === Number.MAX_SAFE_INTEGER ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (value) =>
    Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum
      ? undefined
      : `must be a whole number, ${range}`;
}

const duration: FieldSchema = (value) => {
  const ms = typeof value === 'string' ? parseGoDuration(value) : undefined;
  if (ms === undefined) return 'must be a duration such as 30s or 1h30m';
  return ms < 0 ? 'must not be negative' : undefined;
};

const oneOf =
  (...choices: readonly string[]): FieldSchema =>
  (value) =>
    choices.includes(String(value)) && typeof value === 'string' ? undefined : `must be one of ${choices.join(', ')}`;

const address: FieldSchema = (value) =>
  value === '' || (typeof value === 'string' && familyOf(value) !== undefined) ? undefined : 'must be an IP address';

const hostPort: FieldSchema = (value) => {
  if (value === '' || (typeof value === 'string' && familyOf(value) !== undefined)) return undefined;
  const split = typeof value === 'string' ? splitHostPort(value) : undefined;
  const valid = split !== undefined && familyOf(split.host) !== undefined && split.port >= 1 && split.port <= 65_535;
  return valid ? undefined : 'must be IP:port';
};

const clusterCIDR: FieldSchema = (value) => {
  if (value === '') return undefined;
  const prefixes = typeof value === 'string' ? value.split(',').map(parsePrefix) : [undefined];
  const families = new Set(prefixes.map((prefix) => prefix?.family));
  const valid =
    !families.has(undefined) &&
    String(value)
      .split(',')
      .every((part) => part.includes('/'));
  return valid && families.size === prefixes.length
    ? undefined
    : 'must be one CIDR, or one of each family joined by a comma';
};

const nodePortAddresses: FieldSchema = (value) => {
  if (!Array.isArray(value)) return 'must be a list of CIDRs, or [primary]';
  if (value.includes('primary')) return value.length === 1 ? undefined : 'primary must stand alone';
  const wrong = value.find(
    (cidr) => typeof cidr !== 'string' || !cidr.includes('/') || parsePrefix(cidr) === undefined,
  );
  return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is no CIDR`;
};

const gates: FieldSchema = (value) =>
  typeof value === 'object' &&
  !Array.isArray(value) &&
  Object.values(value as object).every((on) => typeof on === 'boolean')
    ? undefined
    : 'must hold true or false for each gate';

const anything: FieldSchema = () => undefined;

const listOf =
  (item: (value: unknown) => string | undefined): FieldSchema =>
  (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    return value.map(item).find((problem) => problem !== undefined);
  };

// Names become part of rules. A prefix leaves room for the sign that ends it there.
const interfaceName = (longest: number): FieldSchema => {
  const pattern = new RegExp(`^[\\w.:@-]{0,${longest}}$`);
  return (value) =>
    typeof value === 'string' && pattern.test(value)
      ? undefined
      : `must be letters, digits and ._:@-, at most ${longest}`;
};

const portRange: FieldSchema = (value) =>
  typeof value === 'string' && /^\s*(\d+\s*([-+]\s*\d+)?)?\s*$/.test(value)
    ? undefined
    : 'must be a range of ports such as 300-2000';

const periods = { syncPeriod: duration, minSyncPeriod: duration };

/** The fields of KubeProxyConfiguration v1alpha1, all releases to 1.36, and `udpIdleTimeout`, which went with userspace mode. */
export const KUBE_PROXY_CONFIGURATION: FieldSchema = {
  apiVersion: text,
  kind: text,
  featureGates: gates,
  clientConnection: { kubeconfig: text, acceptContentTypes: text, contentType: text, qps: number, burst: integer(0) },
  logging: {
    format: oneOf('', 'text', 'json'),
    flushFrequency: anything,
    verbosity: integer(0),
    vmodule: listOf((item) => checkFields(item, { filePattern: text, verbosity: integer(0) })[0]),
    options: anything,
  },
  hostnameOverride: text,
  bindAddress: address,
  healthzBindAddress: hostPort,
  metricsBindAddress: hostPort,
  bindAddressHardFail: flag,
  enableProfiling: flag,
  showHiddenMetricsForVersion: text,
  mode: text,
  iptables: { masqueradeBit: integer(0, 31), masqueradeAll: flag, localhostNodePorts: flag, ...periods },
  ipvs: {
    scheduler: text,
    excludeCIDRs: listOf(text),
    strictARP: flag,
    tcpTimeout: duration,
    tcpFinTimeout: duration,
    udpTimeout: duration,
    ...periods,
  },
  nftables: { masqueradeBit: integer(0, 31), masqueradeAll: flag, ...periods },
  winkernel: {
    networkName: text,
    sourceVip: text,
    enableDSR: flag,
    rootHnsEndpointName: text,
    forwardHealthCheckVip: flag,
  },
  windowsRunAsService: flag,
  detectLocalMode: oneOf('', 'ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'),
  detectLocal: { bridgeInterface: interfaceName(15), interfaceNamePrefix: interfaceName(14) },
  clusterCIDR,
  nodePortAddresses,
  oomScoreAdj: integer(-1000, 1000),
  conntrack: {
    maxPerCore: integer(0),
    min: integer(0),
    tcpEstablishedTimeout: duration,
    tcpCloseWaitTimeout: duration,
    tcpBeLiberal: flag,
    udpTimeout: duration,
    udpStreamTimeout: duration,
  },
  configSyncPeriod: duration,
  portRange,
  udpIdleTimeout: duration,
};

/** What is wrong with a value, one line for each field, beginning with its path. Null stands for "not set" everywhere. */
export function checkFields(value: unknown, schema: FieldSchema, path = ''): string[] {
  if (value === undefined || value === null) return [];
  if (typeof schema === 'function') {
    const problem = schema(value);
    return problem === undefined ? [] : [`${path}: ${problem}`];
  }
  if (typeof value !== 'object' || Array.isArray(value)) return [`${path}: must be an object`];
  return Object.entries(value).flatMap(([name, inner]) => {
    const place = path === '' ? name : `${path}.${name}`;
    const field = Object.hasOwn(schema, name) ? schema[name] : undefined;
    return field === undefined ? [`${place}: unknown field`] : checkFields(inner, field, place);
  });
}

import { BlockList, isIP } from 'node:net';
import type { Random } from '../../kube/clock.ts';
import type { EndpointAddress, Endpoints, Node, Pod, Service } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { badRequest, notFound } from '../machinery/errors.ts';
import type { ObjectReader } from '../machinery/strategy.ts';
import type { AdmitsLoopback } from '../validation/addresses.ts';

/** Where a request goes: an address of the cluster's network, or the kubelet of a node. */
export type ProxyTarget =
  | { readonly type: 'address'; readonly scheme: 'http' | 'https'; readonly address: string; readonly port: number }
  | { readonly type: 'kubelet'; readonly node: string };

/** What the name in the URL says: `[scheme:]name[:port]`. */
export interface ProxyName {
  readonly scheme: 'http' | 'https';
  readonly name: string;
  readonly port: string;
}

export interface TargetQuery {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly id: string;
  /** Addresses of 127.0.0.0/8 that are the cluster's all the same. */
  readonly admitsLoopback?: AdmitsLoopback | undefined;
}

const KUBELET_PORT = '10250';
const SINGULAR: Readonly<Record<string, string>> = { pods: 'pod', services: 'service', nodes: 'node' };

/** Finds the target of a request to pods/proxy, services/proxy or nodes/proxy. Throws ApiStatusError. */
export function findProxyTarget(reader: ObjectReader, random: Random, query: TargetQuery): ProxyTarget {
  const name = parseProxyName(query.id);
  if (!name) throw badRequest(`invalid ${SINGULAR[query.resource]} request ${JSON.stringify(query.id)}`);
  const { namespace, admitsLoopback } = query;
  if (query.resource === 'nodes') return nodeTarget(reader, name, admitsLoopback);
  const scope = { ...name, namespace, admitsLoopback };
  return query.resource === 'pods'
    ? podTarget(reader, scope)
    : serviceTarget(reader, random, { ...scope, id: query.id });
}

/** Undefined for what is no such name. */
export function parseProxyName(id: string): ProxyName | undefined {
  const parts = id.split(':');
  const [scheme, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme ?? '')) return undefined;
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port };
}

interface Scoped extends ProxyName {
  readonly namespace: string | undefined;
  readonly admitsLoopback: AdmitsLoopback | undefined;
}

function podTarget(reader: ObjectReader, { namespace, name, scheme, port, admitsLoopback }: Scoped): ProxyTarget {
  const pod = reader.get<Pod>(resources.pods, { namespace, name });
  if (!pod) throw notFound(resources.pods, name);
  const declared = pod.spec?.containers.flatMap(({ ports }) => ports ?? [])[0]?.containerPort;
  const address = pod.status?.podIP ?? '';
  if (!isReachable(address, admitsLoopback)) throw badRequest('address not allowed');
  return { type: 'address', scheme, address, port: portNumber(port || String(declared ?? ''), scheme) };
}

function nodeTarget(
  reader: ObjectReader,
  { name, scheme, port }: ProxyName,
  admitsLoopback: AdmitsLoopback | undefined,
): ProxyTarget {
  const node = reader.get<Node>(resources.nodes, { name });
  if (!node) throw notFound(resources.nodes, name);
  const kubeletPort = String(node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? KUBELET_PORT);
  if (port === '' || port === kubeletPort) return { type: 'kubelet', node: name };
  const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
  if (!isReachable(address, admitsLoopback)) throw badRequest('address not allowed');
  return { type: 'address', scheme, address, port: portNumber(port, scheme) };
}

function serviceTarget(
  reader: ObjectReader,
  random: Random,
  { namespace, name, scheme, port, id, admitsLoopback }: Scoped & { readonly id: string },
): ProxyTarget {
  const portName = /^[+-]?\d+$/.test(port) ? nameOfPort(reader, { namespace, name, port: Number(port) }) : port;
  const endpoints = reader.get<Endpoints>(resources.endpoints, { namespace, name });
  if (!endpoints) throw notFound(resources.endpoints, name);
  const subsets = endpoints.subsets ?? [];
  if (subsets.length === 0) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  for (const { addresses = [], ports = [] } of rotated(subsets, random)) {
    const number = ports.find((candidate) => (candidate.name ?? '') === portName)?.port;
    const address = rotated(addresses, random).find(
      (candidate) => isReachable(candidate.ip, admitsLoopback) && isOfPod(reader, candidate),
    );
    if (number !== undefined && address) return { type: 'address', scheme, address: address.ip, port: number };
  }
  throw unavailable(`no endpoints available for service ${JSON.stringify(id)}`);
}

function nameOfPort(
  reader: ObjectReader,
  { namespace, name, port }: { readonly namespace: string | undefined; readonly name: string; readonly port: number },
): string {
  const service = reader.get<Service>(resources.services, { namespace, name });
  if (!service) throw notFound(resources.services, name);
  const found = service.spec?.ports?.find((candidate) => candidate.port === port);
  if (!found) throw unavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
  return found.name ?? '';
}

function rotated<T>(items: readonly T[], random: Random): T[] {
  const start = Math.floor(random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

// Who may write Endpoints shall not make the server connect to wherever they like: only to the pods that they name.
function isOfPod(reader: ObjectReader, { ip, targetRef }: EndpointAddress): boolean {
  if (targetRef?.kind !== 'Pod') return false;
  const pod = reader.get<Pod>(resources.pods, { namespace: targetRef.namespace, name: targetRef.name ?? '' });
  return pod?.status?.podIPs?.some((own) => own.ip === ip) ?? pod?.status?.podIP === ip;
}

const local = new BlockList();
local.addSubnet('127.0.0.0', 8);
local.addSubnet('169.254.0.0', 16);
local.addSubnet('224.0.0.0', 4);
local.addAddress('0.0.0.0');
local.addAddress('::', 'ipv6');
local.addAddress('::1', 'ipv6');
local.addSubnet('fe80::', 10, 'ipv6');
local.addSubnet('ff00::', 8, 'ipv6');

function isReachable(address: string, admitsLoopback: AdmitsLoopback = () => false): boolean {
  const family = isIP(address);
  if (admitsLoopback(address)) return true;
  return family !== 0 && !local.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

function portNumber(port: string, scheme: 'http' | 'https'): number {
  if (port === '') return scheme === 'https' ? 443 : 80;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65535) throw badRequest(`invalid port ${JSON.stringify(port)}`);
  return number;
}

const unavailable = (message: string): ApiStatusError => new ApiStatusError('ServiceUnavailable', message);

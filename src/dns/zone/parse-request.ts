import { splitLabels } from '../wire/name.ts';

/** What a name in a cluster zone asks for. */
export interface RecordRequest {
  readonly kind: '' | 'svc' | 'pod';
  readonly namespace: string;
  readonly service: string;
  readonly endpoint: string;
  readonly cluster: string;
  readonly port: string;
  readonly protocol: string;
  /** Topology zone of a zonal name, '' otherwise. */
  readonly topologyZone: string;
  /** `prefer` falls back to all endpoints, `pin` does not. */
  readonly prefer: boolean;
}

export interface RequestGrammar {
  readonly multicluster: boolean;
  readonly zonal: boolean;
}

const EMPTY: RecordRequest = {
  kind: '',
  namespace: '',
  service: '',
  endpoint: '',
  cluster: '',
  port: '',
  protocol: '',
  topologyZone: '',
  prefer: false,
};

/** Reads `name` (lower case, inside `zone`); undefined when no object can have such a name. An empty kind is the apex, svc or pod. */
export function parseRequest(name: string, zone: string, grammar: RequestGrammar): RecordRequest | undefined {
  const base = zone === '.' ? name.slice(0, -1) : name.slice(0, Math.max(0, name.length - zone.length - 1));
  if (base === '' || base === 'svc' || base === 'pod') return EMPTY;
  const labels = splitLabels(base);
  const kind = labels.pop();
  if (kind !== 'svc' && kind !== 'pod') return undefined;
  const [namespace = '', service = ''] = [labels.pop(), labels.pop()];
  const request = { ...EMPTY, kind, namespace, service } as const;
  if (labels.length === 0) return request;
  if (labels.length === 1) return { ...request, endpoint: labels[0]! };
  if (labels.length === 2) return readPair(request, labels[0]!, labels[1]!, grammar);
  return readZonal(request, labels, grammar);
}

function readPair(request: RecordRequest, first: string, second: string, grammar: RequestGrammar): RecordRequest {
  if (grammar.multicluster && !first.startsWith('_') && !second.startsWith('_')) {
    return { ...request, cluster: second, endpoint: first };
  }
  return { ...request, protocol: stripUnderscore(second), port: stripUnderscore(first) };
}

// topologyzone.pin|prefer._zone.service.namespace.svc: a zone's value may hold dots.
function readZonal(
  request: RecordRequest,
  labels: readonly string[],
  grammar: RequestGrammar,
): RecordRequest | undefined {
  const directive = labels.at(-2);
  if (!grammar.zonal || grammar.multicluster || labels.at(-1) !== '_zone' || request.kind !== 'svc') return undefined;
  if (directive !== 'pin' && directive !== 'prefer') return undefined;
  return { ...request, topologyZone: labels.slice(0, -2).join('.'), prefer: directive === 'prefer' };
}

function stripUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}

import { UserError } from '../../errors/towtank-error.ts';
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../../kube/generated/types.ts';
import { checkShape, isRecord, withoutNulls } from '../../kube/object-shape.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { SHAPES } from './object-shapes.ts';

/** The objects of a file that a proxy looks at. */
export interface ReadObjects {
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly serviceCIDRs: readonly string[];
  /** Other kinds, each once. */
  readonly ignored: readonly string[];
}

interface Sorted {
  readonly Service: Service[];
  readonly EndpointSlice: EndpointSlice[];
  readonly Node: Node[];
  readonly ServiceCIDR: ServiceCIDR[];
}

/** Sorts objects as `kubectl get -o yaml` gives them, lists of them too. Throws UserError ERR_INVALID_MANIFEST. */
export function readObjects(objects: readonly unknown[]): ReadObjects {
  const sorted: Sorted = { Service: [], EndpointSlice: [], Node: [], ServiceCIDR: [] };
  const ignored = new Set<string>();
  for (const [index, object] of objects.entries()) sortObject(object, `object ${index + 1}`, { sorted, ignored });
  return {
    services: sorted.Service,
    endpointSlices: sorted.EndpointSlice,
    nodes: sorted.Node,
    serviceCIDRs: sorted.ServiceCIDR.flatMap(({ spec }) => spec?.cidrs ?? []),
    ignored: [...ignored],
  };
}

interface Target {
  readonly sorted: Sorted;
  readonly ignored: Set<string>;
}

function sortObject(object: unknown, place: string, target: Target, listKind = ''): void {
  if (object === null || object === undefined) return;
  if (!isRecord(object)) throw invalid(place, 'is no Kubernetes object');
  const kind = typeof object['kind'] === 'string' ? object['kind'] : listKind;
  if (kind === '') throw invalid(place, 'has no kind');
  if (kind.endsWith('List')) sortList(object, kind, { place, target });
  else if (Object.hasOwn(target.sorted, kind)) keepObject(object, kind as keyof Sorted, { place, target });
  else target.ignored.add(kind);
}

function keepObject(
  object: Record<string, unknown>,
  kind: keyof Sorted,
  { place, target }: { readonly place: string; readonly target: Target },
): void {
  const name = nameOf(object, place, kind);
  const problem = checkShape(object, SHAPES[kind], '');
  if (problem !== undefined) throw invalid(`${kind} ${name}`, problem);
  const kept = withoutNulls(object) as KubeObject;
  (target.sorted[kind] as unknown[]).push(NAMESPACED.has(kind) ? inNamespace(kept) : kept);
}

const NAMESPACED: ReadonlySet<string> = new Set(['Service', 'EndpointSlice']);

// What kubectl would apply goes into this one.
function inNamespace(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata?.namespace ?? 'default' } };
}

function sortList(
  list: Record<string, unknown>,
  kind: string,
  { place, target }: { readonly place: string; readonly target: Target },
): void {
  const items = list['items'] ?? [];
  if (!Array.isArray(items)) throw invalid(place, `is a ${kind} whose items are no list`);
  const itemKind = kind.slice(0, -'List'.length);
  for (const [index, item] of items.entries()) sortObject(item, `${place}, item ${index + 1}`, target, itemKind);
}

function nameOf(object: Record<string, unknown>, place: string, kind: string): string {
  const metadata = object['metadata'];
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string') throw invalid(place, `is a ${kind} without a name`);
  return typeof metadata['namespace'] === 'string' ? `${metadata['namespace']}/${metadata['name']}` : metadata['name'];
}

function invalid(place: string, problem: string): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message: `${place}: ${problem}`,
    hint: 'give Services, EndpointSlices, Nodes and ServiceCIDRs as `kubectl get -o yaml` prints them',
  });
}

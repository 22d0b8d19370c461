import type { EndpointSlice, Namespace, Pod, Service } from '../../kube/generated/types.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import type { ClusterState } from './cluster-state.ts';
import { NO_PORT, podFacts, type ServiceFacts, serviceFacts, sliceFacts } from './facts.ts';

/** A Service of another cluster (multicluster.x-k8s.io/v1alpha1), as far as DNS reads it. */
export interface ServiceImport extends KubeObject {
  readonly spec?:
    | {
        readonly type?: string;
        readonly ips?: readonly string[];
        readonly ports?: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[];
      }
    | undefined;
}

export const serviceImports: ResourceType<ServiceImport> = {
  group: 'multicluster.x-k8s.io',
  version: 'v1alpha1',
  resource: 'serviceimports',
  kind: 'ServiceImport',
  namespaced: true,
};

/** One object before and after; undefined for what did not exist or is gone. */
export interface Change<T extends KubeObject> {
  readonly previous: T | undefined;
  readonly current: T | undefined;
}

const SERVICE_NAME = 'kubernetes.io/service-name';
const IMPORT_NAME = 'multicluster.kubernetes.io/service-name';
const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

/** Carries a change of any kind that DNS knows into the state; others are ignored. */
export function feedChange(state: ClusterState, type: ResourceType, change: Change<KubeObject>): void {
  if (type.resource === resources.namespaces.resource) feedNamespace(state, change as Change<Namespace>);
  else if (type.resource === resources.services.resource) feedService(state, change as Change<Service>);
  else if (type.resource === resources.endpointSlices.resource) feedSlice(state, change as Change<EndpointSlice>);
  else if (type.resource === resources.pods.resource) feedPod(state, change as Change<Pod>);
  else if (type.resource === serviceImports.resource) feedServiceImport(state, change as Change<ServiceImport>);
}

function feedNamespace(state: ClusterState, { previous, current }: Change<Namespace>): void {
  state.setNamespace((current ?? previous)?.metadata?.name ?? '', current !== undefined);
}

function feedService(state: ClusterState, { previous, current }: Change<Service>): void {
  const { namespace = '', name = '' } = (current ?? previous)?.metadata ?? {};
  state.setService(namespace, name, current && serviceFacts(current, state.portLists));
}

function feedSlice(state: ClusterState, { previous, current }: Change<EndpointSlice>): void {
  const slice = (current ?? previous)?.metadata?.name ?? '';
  const facts = current && sliceFacts(current, state.portLists);
  for (const [label, set] of [
    [SERVICE_NAME, state.setSlice],
    [IMPORT_NAME, state.setImportSlice],
  ] as const) {
    const before = ownerOf(previous, label);
    const after = ownerOf(current, label);
    if (before !== undefined && before.name !== after?.name) set.call(state, before, slice, undefined);
    if (after !== undefined) set.call(state, after, slice, facts);
  }
  const triggered = current?.metadata?.annotations?.[TRIGGER_TIME];
  const owner = ownerOf(current, SERVICE_NAME);
  if (triggered !== undefined && owner !== undefined) state.programmed(owner, Date.parse(triggered));
}

function ownerOf(slice: EndpointSlice | undefined, label: string): { namespace: string; name: string } | undefined {
  const name = slice?.metadata?.labels?.[label];
  return name === undefined ? undefined : { namespace: slice?.metadata?.namespace ?? '', name };
}

function feedPod(state: ClusterState, { previous, current }: Change<Pod>): void {
  state.setPod(keyOf(current ?? previous ?? {}), current && podFacts(current));
}

function feedServiceImport(state: ClusterState, { previous, current }: Change<ServiceImport>): void {
  const { namespace = '', name = '' } = (current ?? previous)?.metadata ?? {};
  state.setServiceImport(namespace, name, current && importFacts(current));
}

function importFacts({ spec }: ServiceImport): ServiceFacts {
  const ports = (spec?.ports ?? []).map(({ name, protocol, port }) => ({
    name: name ?? '',
    protocol: protocol ?? 'TCP',
    port: port ?? NO_PORT.port,
  }));
  const headless = spec?.type === 'Headless';
  return { clusterIPs: spec?.ips ?? [], headless, external: false, externalName: '', ports, externalIPs: [] };
}

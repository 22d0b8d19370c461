import type { EndpointSlice, Namespace, ObjectMeta, Pod, Service } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import type { ServiceImport } from './cluster-feed.ts';

type Slim = (object: KubeObject) => KubeObject;

const slims: Readonly<Record<string, Slim>> = {
  Namespace: ({ metadata }: Namespace) => ({ metadata: slimMeta(metadata) }),
  Service: slimService as Slim,
  EndpointSlice: slimSlice as unknown as Slim,
  Pod: slimPod as Slim,
  ServiceImport: (({ metadata, spec }: ServiceImport) => ({ metadata: slimMeta(metadata), spec })) as Slim,
};

/**
 * Keeps of an object what DNS reads: a Service as kubectl prints it is many times as large. `kind` is for items of lists,
 * which carry none; an object of a kind that DNS does not know comes back as it is.
 */
export function slimObject<T extends KubeObject>(object: T, kind = object.kind ?? ''): T {
  const slim = slims[kind];
  return slim === undefined ? object : ({ kind, ...slim(object) } as T);
}

const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

function slimMeta(meta: ObjectMeta | undefined): ObjectMeta {
  const { name, namespace, labels, resourceVersion, deletionTimestamp, annotations } = meta ?? {};
  const triggered = annotations?.[TRIGGER_TIME];
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(triggered === undefined ? {} : { annotations: { [TRIGGER_TIME]: triggered } }),
  };
}

function slimService({ metadata, spec, status }: Service): Service {
  const ports = spec?.ports?.map(({ name, protocol, port }) => ({ name, protocol, port }));
  const { type, clusterIP, clusterIPs, externalName, externalIPs } = spec ?? {};
  const several = (clusterIPs?.length ?? 0) > 0;
  const ingress = status?.loadBalancer?.ingress;
  return {
    metadata: slimMeta(metadata),
    spec: { type, ...(several ? { clusterIPs } : { clusterIP }), externalName, externalIPs, ports },
    ...(ingress === undefined ? {} : { status: { loadBalancer: { ingress } } }),
  };
}

function slimSlice({ metadata, ports, endpoints }: EndpointSlice): EndpointSlice {
  return {
    metadata: slimMeta(metadata),
    addressType: '',
    ports: ports?.map(({ name, protocol, port }) => ({ name, protocol, port })),
    endpoints: endpoints?.map(({ addresses, conditions, hostname, targetRef, zone }) => ({
      addresses,
      // Every other endpoint counts as ready.
      ...(conditions?.ready === false ? { conditions: { ready: false } } : {}),
      ...(hostname === undefined ? {} : { hostname }),
      ...(targetRef === undefined ? {} : { targetRef: { name: targetRef.name } }),
      ...(zone === undefined ? {} : { zone }),
    })),
  };
}

function slimPod({ metadata, status }: Pod): Pod {
  return { metadata: slimMeta(metadata), status: { phase: status?.phase, podIP: status?.podIP } };
}

import type { NodeNetwork } from '../../kernel/topology/node-network.ts';
import type { EndpointSlice, Node, Service } from '../../kube/generated/types.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import { resources } from '../../kube/resources.ts';

/** Which node answers for which load balancer address. */
export type Announcements = ReadonlyMap<string, string>;

export interface AnnouncementFacts {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
}

/**
 * Chooses the announcing node of each address in status.loadBalancer.ingress, as a layer 2 load balancer does: a ready node,
 * with externalTrafficPolicy Local one that has a ready endpoint; the same address keeps its node while that is possible.
 */
export function chooseAnnouncers({ services, slices, nodes }: AnnouncementFacts, before: Announcements): Announcements {
  const ready = nodes
    .filter(isReady)
    .map((node) => node.metadata?.name ?? '')
    .sort();
  const chosen = new Map<string, string>();
  for (const service of services) {
    if (service.spec?.type !== 'LoadBalancer') continue;
    const candidates =
      service.spec.externalTrafficPolicy === 'Local'
        ? ready.filter((node) => endpointNodes(service, slices).has(node))
        : ready;
    for (const { ip, ipMode } of service.status?.loadBalancer?.ingress ?? []) {
      if (!ip || ipMode === 'Proxy' || candidates.length === 0) continue;
      const current = before.get(ip);
      chosen.set(
        ip,
        current !== undefined && candidates.includes(current) ? current : candidates[hash(ip) % candidates.length]!,
      );
    }
  }
  return chosen;
}

/** Keeps the kernel's announcements in step with the objects, for the lifetime of the informers. */
export function announceLoadBalancers(informers: SharedInformers, networks: ReadonlyMap<string, NodeNetwork>): void {
  const services = informers.for(resources.services);
  const slices = informers.for(resources.endpointSlices);
  const nodes = informers.for(resources.nodes);
  let announced: Announcements = new Map();
  let scheduled = false;
  const reconcile = (): void => {
    scheduled = false;
    const wanted = chooseAnnouncers(
      { services: services.list(), slices: slices.list(), nodes: nodes.list() },
      announced,
    );
    for (const [address, node] of announced) if (wanted.get(address) !== node) networks.get(node)?.withdraw(address);
    for (const [address, node] of wanted) if (announced.get(address) !== node) networks.get(node)?.announce(address);
    announced = wanted;
  };
  // A burst of changes costs one look.
  const later = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(reconcile);
  };
  services.onChange(({ previous, current }) => {
    if (isLoadBalancer(previous) || isLoadBalancer(current)) later();
  });
  slices.onChange(later);
  nodes.onChange(({ previous, current }) => {
    if (isReady(previous) !== isReady(current)) later();
  });
}

const isLoadBalancer = (service: Service | undefined): boolean => service?.spec?.type === 'LoadBalancer';

function isReady(node: Node | undefined): boolean {
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function endpointNodes(service: Service, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const { name, namespace } = service.metadata ?? {};
  const own = slices.filter(
    ({ metadata }) => metadata?.namespace === namespace && metadata?.labels?.['kubernetes.io/service-name'] === name,
  );
  const ready = own.flatMap(({ endpoints = [] }) => endpoints).filter(({ conditions }) => conditions?.ready !== false);
  return new Set(ready.flatMap(({ nodeName }) => nodeName ?? []));
}

// Spreads addresses over nodes the same way each time.
function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (value * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return value;
}

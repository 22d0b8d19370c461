import type { Pod, PodAffinityTerm } from '../kube/generated/types.ts';
import { matchesLabelSelector } from '../kube/label-selector.ts';
import type { ClusterState } from './cluster-state.ts';
import type { NodeInfo } from './node-info.ts';

/** Says why a node does not suit a pod's wishes for neighbours, or its neighbours' wishes; undefined when it does. */
export type AffinityFilter = (node: NodeInfo) => string | undefined;

const NO_NEIGHBOURS = "node(s) didn't match pod affinity rules";
const WRONG_NEIGHBOURS = "node(s) didn't match pod anti-affinity rules";
const REFUSED = "node(s) didn't satisfy existing pods anti-affinity rules";

/** Looks once at all placed pods; the filter it returns is cheap. */
export function podAffinityFilter(pod: Pod, state: ClusterState): AffinityFilter {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const affinity = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const antiAffinity = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const nodes = state.nodes();
  const refused = domainsThatRefuse(pod, nodes, state);
  if (affinity.length + antiAffinity.length === 0) {
    return refused.size === 0 ? () => undefined : (node) => (inSome(refused, node) ? REFUSED : undefined);
  }
  const wanted = affinity.map((term) => domainsWith(term, pod, { nodes, state }));
  const unwanted = antiAffinity.map((term) => domainsWith(term, pod, { nodes, state }));
  // The first of a group that wants to be together has nobody to go to: it may start anywhere.
  const isFirst =
    wanted.every(({ size }) => size === 0) &&
    affinity.every((term) => termMatches(term, { of: pod, other: pod, state }));
  return (node) => {
    if (!affinity.every(({ topologyKey }) => node.labels[topologyKey] !== undefined)) return NO_NEIGHBOURS;
    if (!isFirst && !wanted.every((domains) => inSome(domains, node))) return NO_NEIGHBOURS;
    if (unwanted.some((domains) => inSome(domains, node))) return WRONG_NEIGHBOURS;
    return inSome(refused, node) ? REFUSED : undefined;
  };
}

/** How much a node suits the pod's preferred neighbours: the sum of weights, negative ones included. */
export function preferredNeighbours(pod: Pod, state: ClusterState): (node: NodeInfo) => number {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const terms = [
    ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) => ({
      weight,
      term: podAffinityTerm,
    })),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) => ({
      weight: -weight,
      term: podAffinityTerm,
    })),
  ];
  if (terms.length === 0) return () => 0;
  const nodes = state.nodes();
  const domains = terms.map(({ weight, term }) => ({ weight, counts: domainsWith(term, pod, { nodes, state }) }));
  return (node) => domains.reduce((sum, { weight, counts }) => sum + weight * countIn(counts, node), 0);
}

/** Number of matching pods by `KEY=VALUE` of the topology. */
type Domains = ReadonlyMap<string, number>;

function domainsWith(
  term: PodAffinityTerm,
  pod: Pod,
  { nodes, state }: { readonly nodes: readonly NodeInfo[]; readonly state: ClusterState },
): Domains {
  const domains = new Map<string, number>();
  for (const node of nodes) {
    const domain = domainOf(node, term.topologyKey);
    if (domain === undefined) continue;
    for (const { pod: other } of node.pods.values()) {
      if (termMatches(term, { of: pod, other, state })) domains.set(domain, (domains.get(domain) ?? 0) + 1);
    }
  }
  return domains;
}

function domainsThatRefuse(pod: Pod, nodes: readonly NodeInfo[], state: ClusterState): Domains {
  const domains = new Map<string, number>();
  for (const node of nodes) {
    for (const other of node.withAntiAffinity) {
      for (const term of other.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const domain = domainOf(node, term.topologyKey);
        if (domain !== undefined && termMatches(term, { of: other, other: pod, state })) domains.set(domain, 1);
      }
    }
  }
  return domains;
}

function termMatches(
  { namespaces, namespaceSelector, labelSelector }: PodAffinityTerm,
  { of, other, state }: { readonly of: Pod; readonly other: Pod; readonly state: ClusterState },
): boolean {
  const namespace = other.metadata?.namespace ?? '';
  const own = !namespaces?.length && namespaceSelector === undefined && namespace === of.metadata?.namespace;
  const inNamespace =
    own || namespaces?.includes(namespace) || matchesLabelSelector(namespaceSelector, state.namespaceLabels(namespace));
  return inNamespace && matchesLabelSelector(labelSelector, other.metadata?.labels);
}

function domainOf({ labels }: NodeInfo, topologyKey: string): string | undefined {
  const value = labels[topologyKey];
  return value === undefined ? undefined : `${topologyKey}=${value}`;
}

function inSome(domains: Domains, node: NodeInfo): boolean {
  return countIn(domains, node) > 0;
}

function countIn(domains: Domains, { labels }: NodeInfo): number {
  let count = 0;
  for (const [domain, pods] of domains) {
    const equals = domain.indexOf('=');
    if (labels[domain.slice(0, equals)] === domain.slice(equals + 1)) count += pods;
  }
  return count;
}

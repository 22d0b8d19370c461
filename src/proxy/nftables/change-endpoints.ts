import type { Chain } from '../../netfilter/nftables/table.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { EndpointSelection, SelectedPort } from '../facts/select-endpoints.ts';
import type { ServicePort } from '../facts/service-port.ts';
import { hairpin } from './build-port-rules.ts';
import { changeServiceChain, type ElementChanges, type RuleContext } from './build-service-chain.ts';
import { type ServiceObjects, serviceObjects } from './object-names.ts';

/** What a change of endpoints alone does to the rules of a ServicePort. */
export interface EndpointChanges {
  /** Chains with other rules than before, as they are afterwards. */
  readonly chains: readonly Chain[];
  readonly elements: ElementChanges;
}

/**
 * Says what changes when a ServicePort has other endpoints and is otherwise the same, without building all of its rules:
 * that is what nearly every change is. Undefined where more changes.
 */
export function changeEndpoints(
  before: SelectedPort,
  after: SelectedPort,
  context: RuleContext,
): EndpointChanges | undefined {
  const { port } = after;
  if (before.port !== port || port.affinitySeconds > 0 || !leadsAlike(before.endpoints, after.endpoints)) {
    return undefined;
  }
  const chainNames = namesOf(port);
  const chains: Chain[] = [];
  const elements: ElementChanges = { added: [], removed: [] };
  for (const policy of ['cluster', 'local'] as const) {
    const [old, now] = [before.endpoints[policy], after.endpoints[policy]];
    if (hasSameAddresses(old, now)) continue;
    const choice = { chain: chainNames[policy], port };
    const change = changeServiceChain({ ...choice, endpoints: old }, { ...choice, endpoints: now }, context);
    if (change.chain !== undefined) chains.push(change.chain);
    elements.added.push(...change.elements.added);
    elements.removed.push(...change.elements.removed);
  }
  const { gone, come } = compareEndpoints(before.endpoints.reachable, after.endpoints.reachable);
  for (const endpoint of gone) elements.removed.push(hairpin(port, endpoint));
  for (const endpoint of come) elements.added.push(hairpin(port, endpoint));
  return { chains, elements };
}

// Services whose endpoints changed once change again: their hashes are kept, those of all others are not worth the memory.
const names = new WeakMap<ServicePort, ServiceObjects>();

function namesOf(port: ServicePort): ServiceObjects {
  let found = names.get(port);
  if (found === undefined) {
    found = serviceObjects(port);
    names.set(port, found);
  }
  return found;
}

// Where packets to a Service go depends on which lists are empty, and on nothing else of the endpoints.
function leadsAlike(a: EndpointSelection, b: EndpointSelection): boolean {
  return (
    a.hasAny === b.hasAny &&
    (a.cluster.length === 0) === (b.cluster.length === 0) &&
    (a.local.length === 0) === (b.local.length === 0)
  );
}

function hasSameAddresses(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return a === b || (a.length === b.length && a.every(({ address }, index) => address === b[index]!.address));
}

// Both lists are sorted by address.
function compareEndpoints(
  before: readonly Endpoint[],
  after: readonly Endpoint[],
): Record<'gone' | 'come', Endpoint[]> {
  const gone: Endpoint[] = [];
  const come: Endpoint[] = [];
  for (let old = 0, now = 0; old < before.length || now < after.length; ) {
    const [a, b] = [before[old], after[now]];
    if (a?.address === b?.address) {
      old++;
      now++;
    } else if (b === undefined || (a !== undefined && a.address < b.address)) {
      gone.push(a!);
      old++;
    } else {
      come.push(b);
      now++;
    }
  }
  return { gone, come };
}

import type { Container, Pod, ResourceRequirements } from '../kube/generated/types.ts';
import { milliValueOf } from '../kube/quantity.ts';

/** Amounts by resource name, in thousandths. */
export type Amounts = ReadonlyMap<string, number>;

// A pod that asks for nothing is not free: so much is assumed when nodes are compared (not when they are ruled out).
const ASSUMED: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024 * 1000],
]);

/** What the pod asks of its node: all containers together, or its largest init container if that is more, plus overhead. */
export function podRequests(pod: Pod): Amounts {
  return requestsOf(pod, (requirements) => amountsOf(requirements?.requests));
}

/** The same for comparing nodes: containers that ask for no cpu or memory count with an assumed amount. */
export function assumedRequests(pod: Pod): Amounts {
  return requestsOf(pod, (requirements) => new Map([...ASSUMED, ...amountsOf(requirements?.requests)]));
}

/** Quantities as amounts. */
export function amountsOf(quantities: Readonly<Record<string, string>> = {}): Amounts {
  return new Map(Object.entries(quantities).map(([name, quantity]) => [name, milliValueOf(quantity) ?? 0]));
}

function requestsOf({ spec }: Pod, of: (requirements: ResourceRequirements | undefined) => Amounts): Amounts {
  const total = new Map<string, number>();
  for (const { resources } of spec?.containers ?? []) add(total, of(resources));
  let sidecars: Amounts = new Map();
  const initPeak = new Map<string, number>();
  for (const container of spec?.initContainers ?? []) {
    const own = of(container.resources);
    if (isSidecar(container)) {
      add(total, own);
      sidecars = sum(sidecars, own);
    } else raise(initPeak, sum(sidecars, own));
  }
  raise(total, initPeak);
  for (const [name, amount] of amountsOf(spec?.resources?.requests)) total.set(name, amount);
  add(total, amountsOf(spec?.overhead));
  return total;
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === 'Always';
}

function add(target: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) target.set(name, (target.get(name) ?? 0) + amount);
}

function sum(a: Amounts, b: Amounts): Amounts {
  const total = new Map(a);
  add(total, b);
  return total;
}

function raise(target: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) target.set(name, Math.max(target.get(name) ?? 0, amount));
}

import type { Container, EphemeralContainer, ResourceFieldSelector } from '../../kube/generated/types.ts';
import { milliValueOf } from '../../kube/quantity.ts';

/** What a container may use when it sets no limit: all of the node. */
export interface NodeResources {
  readonly cpu: string;
  readonly memory: string;
  readonly 'ephemeral-storage': string;
}

/** The value of a resourceFieldRef in units of its divisor, rounded up; undefined for a resource Kubernetes does not expose. */
export function resourceValue(
  container: Container | EphemeralContainer,
  selector: ResourceFieldSelector,
  node: NodeResources,
): string | undefined {
  const { kind, name } = /^(?<kind>limits|requests)\.(?<name>.+)$/.exec(selector.resource)?.groups ?? {};
  if (kind === undefined || name === undefined) return undefined;
  const fallback = kind === 'limits' ? node[name as keyof NodeResources] : '0';
  const quantity = container.resources?.[kind as 'limits' | 'requests']?.[name] ?? fallback;
  const value = milliValueOf(quantity ?? '');
  // A divisor of 0 stands for the default, 1.
  const divisor = milliValueOf(selector.divisor ?? '1') || 1000;
  return value === undefined ? undefined : String(Math.ceil(value / divisor));
}

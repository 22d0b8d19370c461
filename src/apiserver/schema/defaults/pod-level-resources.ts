import { formatQuantity, parseQuantity, type Quantity } from '../canonical-quantity.ts';
import { type Fields, isZero, structsAt } from './fill.ts';

type Amounts = Map<string, Quantity>;

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);

/** Requests of a pod as a whole follow its containers, then its own limits, once it says anything of its own resources. */
export function defaultPodLevelResources(spec: Fields): void {
  const resources = spec['resources'] as Fields | undefined;
  if (resources === undefined || resources === null) return;
  if (!isZero(resources['limits']) || !isZero(resources['requests'])) defaultHugePagesLimits(spec, resources);
  if (!isZero(resources['limits'])) defaultRequests(spec, resources);
}

function defaultHugePagesLimits(spec: Fields, resources: Fields): void {
  const limits = { ...(resources['limits'] as Fields | undefined) };
  const requests = (resources['requests'] as Fields | undefined) ?? {};
  for (const [name, amount] of aggregate(spec, 'limits'))
    if (isHugePages(name) && requests[name] === undefined) limits[name] ??= formatQuantity(amount);
  if (Object.keys(limits).length > 0) resources['limits'] = limits;
}

function defaultRequests(spec: Fields, resources: Fields): void {
  const requests = { ...(resources['requests'] as Fields | undefined) };
  for (const [name, amount] of aggregate(spec, 'requests'))
    if (isPodLevel(name) && !isHugePages(name)) requests[name] ??= formatQuantity(amount);
  for (const [name, amount] of Object.entries(resources['limits'] as Fields))
    if (isPodLevel(name)) requests[name] ??= amount;
  if (Object.keys(requests).length > 0) resources['requests'] = requests;
}

// What all containers need at once: the sum of those that run together, or the most that an init container needs beside
// the sidecars that run before it.
function aggregate(spec: Fields, part: 'requests' | 'limits'): Amounts {
  const total: Amounts = new Map();
  for (const container of structsAt(spec, 'containers')) add(total, amountsOf(container, part));
  const sidecars: Amounts = new Map();
  const most: Amounts = new Map();
  for (const container of structsAt(spec, 'initContainers')) {
    const needs = new Map(amountsOf(container, part));
    if (container['restartPolicy'] === 'Always') {
      add(total, needs);
      add(sidecars, needs);
      raise(most, sidecars);
    } else {
      add(needs, sidecars);
      raise(most, needs);
    }
  }
  raise(total, most);
  return total;
}

function amountsOf(container: Fields, part: 'requests' | 'limits'): Amounts {
  const list = (container['resources'] as Fields | undefined)?.[part] as Record<string, string> | undefined;
  return new Map(Object.entries(list ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));
}

function add(into: Amounts, more: Amounts): void {
  for (const [name, { nano, format }] of more) {
    const before = into.get(name);
    into.set(name, before ? { nano: before.nano + nano, format: before.format } : { nano, format });
  }
}

function raise(into: Amounts, least: Amounts): void {
  for (const [name, amount] of least) if ((into.get(name)?.nano ?? -1n) < amount.nano) into.set(name, amount);
}

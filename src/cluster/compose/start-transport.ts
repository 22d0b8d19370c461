import { DEFAULT_LIMITS, type Transport } from '../../proxy/userspace/transport.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ComponentHealth } from './component-health.ts';
import { systemClock } from './system-clock.ts';

const COMPONENT = 'userspace proxy';

/** Starts what carries the traffic of all nodes in userspace mode; undefined when there is no such node. */
export async function startTransport({ nodes }: AddressPlan, health: ComponentHealth): Promise<Transport | undefined> {
  if (!nodes.some(({ proxyMode }) => proxyMode === 'userspace')) return undefined;
  health.add(COMPONENT);
  const { PlainTransport } = await import('../../proxy/userspace/plain/plain-transport.ts');
  return new PlainTransport({
    clock: systemClock,
    random: Math.random,
    limits: DEFAULT_LIMITS,
    onError: (error) => health.failed(COMPONENT, error, true),
  });
}
